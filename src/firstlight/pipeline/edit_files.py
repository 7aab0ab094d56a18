"""Edit the keywords of a set of files: what changes, where the results go, and back again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from firstlight.errors import FrameError, InputError
from firstlight.io.dialects import FIELDS
from firstlight.io.edit_header import Change, Edit, plan_edit
from firstlight.io.frame import Frame
from firstlight.io.header import meta_from_header
from firstlight.io.keyword_values import check_value
from firstlight.io.read import find_files, open_frame
from firstlight.io.side_files import FIELD_KEYWORDS
from firstlight.model.meta import Kind, Meta
from firstlight.ops.meta.facts import Facts
from firstlight.ops.meta.observing import CARDS, end_of, observing_of
from firstlight.pipeline.facts import Finder

ORIGINAL = ".original"
"""Ending of the untouched file that stays beside one edited in place."""
_NOT_FILLED = frozenset(["saturation", "calibrated", "n_combined", "middle", "end", "bottom_up", "pedestal"])


@dataclass(frozen=True)
class Job:
    """One file of the set: what is done to it and where it goes; or why nothing is."""

    path: Path
    target: Path
    edit: Edit | None
    problem: str = ""


def plan_edits(
    files: Sequence[Path], changes: Sequence[Change], *, facts: Facts, fill: bool = False, output: Path | None = None
) -> list[Job]:
    """Work out the changes of every file; nothing is written.

    Parameters
    ----------
    files : files and folders.
    changes : in this order; a later one of the same keyword wins.
    facts : what the user says of all frames.
    fill : also write what is known beside the headers (names, side files, ``facts``, the table of sites), and what
        follows from time, site and position, where the headers have nothing.
    output : folder for copies, which keep their place below the folders given; None: in place.

    Raises
    ------
    InputError
        A file is not there, or two would become one; a value that its keyword cannot have.
    """
    for change in changes:
        if change.value is not None:
            check_value(change.keyword, change.value, as_text=True)
    jobs: list[Job] = []
    for given in files:
        finder = Finder(facts, given if given.is_dir() else given.parent)
        for path in find_files(given):
            target = path if output is None else output / (path.relative_to(given) if given.is_dir() else path.name)
            if output is not None and target.resolve() == path.resolve():
                raise InputError(f"{target}: is the file itself; give another folder, or --in-place")
            try:
                more = list(filled(finder.known(_changed(open_frame(path), changes)))) if fill else []
                jobs.append(Job(path, target, plan_edit(path, [*more, *changes])))
            except FrameError as error:
                jobs.append(Job(path, target, None, str(error)))
    seen: dict[Path, Path] = {}
    for job in jobs:
        other = seen.setdefault(job.target.resolve(), job.path)
        if other is not job.path and other != job.path:
            raise InputError(
                f"{job.path} and {other} would both become {job.target}; give their folder, or edit them one by one"
            )
    return list({job.target.resolve(): job for job in jobs}.values())


def _changed(frame: Frame, changes: Sequence[Change]) -> Frame:
    """The frame as its header will be: what is filled follows from what is set."""
    cards = list(frame.meta.cards)
    for change in changes:
        old = next((value for keyword, value, _ in cards if keyword == change.keyword), None)
        if change.if_missing and old is not None and str(old).strip():
            continue
        cards = [card for card in cards if card[0] != change.keyword]
        if change.value is not None:
            cards.append((change.keyword, change.value, ""))
    return frame.replace(meta=meta_from_header(cards, frame.path, frame.shape)) if changes else frame


_OF_THE_SITE = ("site", "latitude", "longitude", "elevation")


def filled(frame: Frame) -> Iterator[Change]:
    """What is known of a frame and its header lacks, as changes.

    Where another site is given than that of the header, all that depends on it is written anew: half of it would
    contradict the other half.
    """
    meta = frame.meta
    header = meta_from_header(meta.cards, frame.path, frame.shape)
    moved = header.latitude is not None and (header.latitude, header.longitude) != (meta.latitude, meta.longitude)
    keywords = {keyword for keyword, _, _ in meta.cards}
    for name, source in meta.sources.items():
        if name in _NOT_FILLED or source.split()[0].strip(",") in keywords or source.startswith(("folder", "nothing")):
            continue
        for keyword, value in _cards_of(name, meta):
            yield Change(keyword, value, if_missing=not (moved and name in _OF_THE_SITE))
    if meta.kind not in (Kind.LIGHT, Kind.UNKNOWN, Kind.STACK):
        return
    middle, start, end = observing_of([meta] * 3, [meta.mid_time, meta.start, end_of(meta)])
    for keyword, value, comment in (
        ("AIRMASS", middle.airmass, "middle of the exposure (Young 1994)"),
        ("AMSTART", start.airmass, "airmass at the start"),
        ("AMEND", end.airmass, "airmass at the end"),
    ):
        if value is not None:
            yield Change(keyword, round(value, 4), comment, if_missing=not moved)
    for name, (keyword, comment, digits) in CARDS.items():
        value = getattr(middle, name)
        if value is not None:
            yield Change(keyword, value if digits is None else round(value, digits), comment, if_missing=not moved)


def _cards_of(name: str, meta: Meta) -> Iterator[tuple[str, object]]:
    value = getattr(meta, name)
    if name == "binning":
        yield from zip(("XBINNING", "YBINNING"), value)
    elif name == "origin":
        yield from zip(("XORGSUBF", "YORGSUBF"), value)
    elif name == "start":
        yield "DATE-OBS", value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
    elif name == "kind":
        if value is not Kind.UNKNOWN:
            yield "IMAGETYP", value.value
    else:
        yield FIELD_KEYWORDS.get(name) or FIELDS[name][0].keyword, value


def write_edits(jobs: Sequence[Job], *, overwrite: bool = False) -> list[Path]:
    """Write what `plan_edits` worked out; returns the files written.

    A file edited in place keeps its untouched self beside it, under its name and ``.original``; one that is there from
    an earlier edit stays: it is the oldest. Copies are also written where nothing changes, so that the set is whole.

    Raises
    ------
    InputError
        A copy would replace a file, and ``overwrite`` is not given.
    """
    ready = [(job, job.edit) for job in jobs if job.edit is not None]
    there = [job.target for job, _ in ready if job.target != job.path and job.target.exists()]
    for target in there:
        if any(os.path.samefile(target, job.path) for job, _ in ready):
            raise InputError(f"{target}: is one of the files themselves; give another folder, or --in-place")
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise InputError(f"{there[0]}{more}: exists already; give another folder, or --overwrite")
    written = []
    for job, edit in ready:
        if job.target == job.path:
            if not edit.done:
                continue
            _keep_original(job.path)
        edit.write(job.target)
        written.append(job.target)
    return written


def _keep_original(path: Path) -> None:
    kept = path.with_name(path.name + ORIGINAL)
    if kept.exists():
        return
    if path.is_symlink():
        raise InputError(f"{path}: is a link to {path.resolve()}; edit that file, or write copies with --output")
    try:
        os.link(path, kept)
    except OSError:
        import shutil

        from firstlight.io.atomic import atomic_path

        # File systems without links (exFAT of memory cards).
        with atomic_path(kept) as temporary:
            shutil.copy2(path, temporary)


def restore(files: Sequence[Path]) -> list[Path]:
    """Bring the untouched files back in the place of those edited in place; returns them.

    Raises
    ------
    InputError
        None of the files has one.
    """
    found = [path for given in files for path in find_files(given)]
    kept = [path for path in found if path.with_name(path.name + ORIGINAL).is_file()]
    if not kept:
        raise InputError(f"{files[0]}: no {ORIGINAL} beside it; only files edited in place can be restored")
    for path in kept:
        os.replace(path.with_name(path.name + ORIGINAL), path)
    return kept
