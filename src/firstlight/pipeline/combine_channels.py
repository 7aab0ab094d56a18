"""Images of different filters combined into one: read, brought onto each other, treated, mixed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from firstlight.errors import FrameError, InputError, SpecError, nearest
from firstlight.io.content import QUICK_HASH, known_hash
from firstlight.io.read import open_frame, read
from firstlight.model.image import Image, State
from firstlight.model.registration import Registration, Transform
from firstlight.model.stars import Stars
from firstlight.ops.align.match import MatchStars, match_stars
from firstlight.ops.align.onto import brought_onto
from firstlight.ops.align.plates import transform_of_plates
from firstlight.ops.inspect.stars import FindStars, find_stars
from firstlight.ops.registry import Params
from firstlight.ops.spec import Step, parse_step, step
from firstlight.pipeline.channel_modes import Work, find_mode, roles_for
from firstlight.pipeline.exposures import RECORD, Exposures, each_once, exposures_of
from firstlight.pipeline.story import versions

LETTERS = {
    "l": "L", "lum": "L", "luminance": "L", "clear": "L", "c": "L", "r": "R", "red": "R", "g": "G", "green": "G",
    "b": "B", "blue": "B", "ha": "Ha", "halpha": "Ha", "h": "Ha", "oiii": "OIII", "o3": "OIII", "o": "OIII",
    "sii": "SII", "s2": "SII", "s": "SII",
}  # fmt: skip
"""Names of filters to the roles of the modes."""
NOT_MOVED = ("mask",)
NEAR = 0.05
"""px: images whose corners lie no further off are taken as they are.

The colours of a star of 2.5 px width then differ by 3 % of its peak at its flanks at most. A fit to some dozen stars is
not surer than that, and to move an image spreads its flags and smooths its noise, unlike that of the others.
"""


class ChannelSettings(Params):
    """How images are brought together before they are combined."""

    align: Literal["auto", "stars", "phase", "features", "plate", "none"] = "auto"
    """``auto``: by stars, by plates where there are too few; not for modes whose images lie on each other already.
    ``phase``: shift, or half a turn and shift, by phase correlation, and ``features`` corners and textures (ORB), for
    nebulae, the Moon and planets without stars. What lies within 0.05 px is taken as it is."""
    framing: Literal["reference", "common"] = "reference"
    """The frame of the result: that of the reference, or the part of it that all images cover."""
    in_order: bool = False
    """Take the images in the order given, whatever filter their headers name."""


@dataclass(frozen=True, eq=False)
class CombinedChannels:
    """What came of it."""

    image: Image
    mode: str
    roles: tuple[str, ...]
    registrations: tuple[Registration | None, ...]
    """Of each input; None for the reference and for what was not moved."""
    notes: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """What was done, in pinned form, besides the chains."""
    inputs: tuple[str, ...] = ()
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)
    settings: ChannelSettings = field(default_factory=ChannelSettings)
    reference: str = ""
    """What all were brought onto, where it is none of them."""
    exposures: Exposures = field(default_factory=dict)
    """All that went into it, each once."""

    def provenance(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "made_by": "combine",
            "mode": self.mode,
            "inputs": [
                (_of_file(name) | {"role": role})
                | ({} if r is None else {"matrix": [round(float(v), 9) for v in r.transform.matrix[:2].ravel()],
                                         "matched": r.n_matched, "rms": round(r.rms, 4)})
                for name, role, r in zip(self.inputs, self.roles, self.registrations)
            ],
            "chains": {name: list(steps) for name, steps in self.chains.items() if steps},
            "steps": list(self.steps),
            "notes": list(self.notes),
            "arguments": dict(self.arguments),
            "settings": self.settings.model_dump(),
            RECORD: {content: list(each) for content, each in self.exposures.items()},
            "onto": _of_file(self.reference) if self.reference else None,
            "program": "firstlight",
            "versions": versions(),
        }  # fmt: skip


def _of_file(name: str) -> dict[str, str]:
    """An input by its place and its content; an image that is in no file by its name alone."""
    path = Path(name)
    return {"file": str(path.resolve()), QUICK_HASH: known_hash(path)} if path.is_file() else {"file": name}


def combine_channels(
    mode: str,
    inputs: Sequence[Path | str | Image],
    arguments: Mapping[str, Any] | None = None,
    settings: ChannelSettings = ChannelSettings(),
    *,
    reference: Path | str | Image | None = None,
    chains: Mapping[str, Sequence[str | Step]] | None = None,
) -> CombinedChannels:
    """Combine images of different filters.

    Parameters
    ----------
    mode
        One of `firstlight.pipeline.channel_modes.MODES`.
    inputs
        Files or images in the order that the mode takes them; where every file names its filter, in any order.
    arguments
        Parameters of the mode: those of the operations it is made of, or cvastrophoto's names of them.
    reference
        What all are brought onto; the first image otherwise.
    chains
        Steps by part: ``color`` and ``luminance`` and ``ha`` before the images are mixed, ``ha-luminance`` for hydrogen
        in its part as brightness, ``after`` for the result.

    Raises
    ------
    InputError
        Images that do not go together, or cannot be brought onto each other; parameters that nothing takes.

    >>> grey = Image(np.full((1, 2, 2), 5.0))
    >>> combine_channels("rgb", [grey, grey, grey], settings=ChannelSettings(align="none")).image.shape
    (3, 2, 2)
    """
    rule = find_mode(mode)
    parsed = _parsed(chains or {}, mode)
    names = [str(each) if not isinstance(each, Image) else f"image {k}" for k, each in enumerate(inputs, 1)]
    images = [_opened(each) for each in inputs]
    roles = roles_for(mode, [image.shape[0] for image in images])
    order, notes = _ordered(images, roles, settings)
    images, names = [images[k] for k in order], [names[k] for k in order]
    opened = images
    target = images[0] if reference is None else _opened(reference)
    named = names[0] if reference is None else str(reference)
    how = settings.align if settings.align != "auto" or rule.aligned else "none"
    placed = [_placed(i, n, r, target, named, how) for i, n, r in zip(images, names, roles)]
    images = [image for image, _ in placed]
    notes += _words(names, [registration for _, registration in placed])
    if settings.framing == "common":
        images = _common(images)
    work = Work(mode, dict(zip(roles, images)), {k: str(v) for k, v in (arguments or {}).items()}, chains=parsed)
    image = rule.run(work)
    if work.arguments:
        name = next(iter(work.arguments))
        raise SpecError(f"combine {mode}: nothing here takes {name!r}{nearest(name, _known(work)) or ''}")
    image = work.chain("after", image)
    parts = [exposures_of(name, image.meta) for name, image in zip(names, opened)]
    meta, exposures, again = each_once(image.meta, [each.meta for each in opened], parts)
    if again:
        notes.append(f"{again} {'exposure is' if again == 1 else 'exposures are'} in more than one image: counted once")
    image = image.replace(meta=meta)
    return CombinedChannels(
        image, mode, tuple(roles), tuple(r for _, r in placed), tuple(notes), tuple(work.done), tuple(names),
        {name: tuple(each.pinned() for each in steps) for name, steps in parsed.items()},
        {k: str(v) for k, v in (arguments or {}).items()}, settings,
        "" if reference is None or isinstance(reference, Image) else str(reference), exposures,
    )  # fmt: skip


def stays_linear(mode: str, files: Sequence[Path], chains: Mapping[str, Sequence[str]]) -> bool:
    """Whether what comes of these files would be linear: known before any is read.

    >>> stays_linear("lupton", [], {}), stays_linear("rgb", [], {"after": ["stretch:asinh"]})
    (False, False)
    """
    steps = [each for chain in _parsed(chains, mode).values() for each in chain]
    if find_mode(mode).stretches or any(each.gives == State.STRETCHED for each in steps):
        return False
    return all(open_frame(path).state == State.LINEAR for path in files)


FALSE_COLOURS = ("sho", "hso", "hoo", "hgb", "dynamic", "matrix")
PARTS = {
    "color": "the colours", "luminance": "a luminance (L)", "ha": "hydrogen (Ha)",
    "ha-luminance": "hydrogen as brightness", "after": "the result",
}  # fmt: skip


def _parsed(chains: Mapping[str, Sequence[str | Step]], mode: str) -> dict[str, tuple[Step, ...]]:
    found = {
        part: tuple(each if isinstance(each, Step) else parse_step(each) for each in steps)
        for part, steps in chains.items()
    }
    roles = {role for roles in find_mode(mode).roles for role in roles}
    takes = {
        "color": mode in FALSE_COLOURS or (bool(roles & {"RGB", "R"}) and mode != "continuum"),
        "luminance": "L" in roles, "ha": "Ha" in roles, "ha-luminance": mode in ("hargb", "havrgb"), "after": True,
    }  # fmt: skip
    for part, steps in found.items():
        if part not in PARTS:
            raise SpecError(f"combine: steps for {part!r}{nearest(part, PARTS)}; {', '.join(PARTS)} are allowed")
        if steps and not takes[part]:
            raise SpecError(f"combine {mode}: steps for {PARTS[part]} were given, and the mode has none")
    return found


def _known(work: Work) -> set[str]:
    from firstlight.ops.registry import find_operation

    ids = [text.partition("@")[0] for text in work.done if ":" in text.partition("@")[0]]
    return {name for each in ids for name in find_operation(each).params.model_fields}


def _opened(each: Path | str | Image) -> Image:
    if isinstance(each, Image):
        return each
    try:
        image = read(each)
    except FrameError as error:
        raise InputError(f"combine: {error}") from error
    if image.meta.cfa and image.shape[0] == 1:
        raise InputError(f"{each}: this is a mosaic ({image.meta.cfa}); debayer it first (cal:debayer)")
    return image


def role_of(image: Image) -> str | None:
    """What a filter's name makes of an image: L, R, G, B, Ha, OIII, SII, or None."""
    return "RGB" if image.shape[0] == 3 else role_of_filter(image.meta.filter)


def role_of_filter(filter: str | None) -> str | None:
    """What a filter's name says: L, R, G, B, Ha, OIII, SII, or None. A sum of filters, as L+R+G+B, is a luminance.

    >>> role_of_filter("H-alpha"), role_of_filter("OIII 3nm"), role_of_filter("L+R+G+B"), role_of_filter("V")
    ('Ha', 'OIII', 'L', None)
    """
    parts = (filter or "").split("+")
    if len(parts) > 1:
        return "L" if all(role_of_filter(part) in ("L", "R", "G", "B") for part in parts) else None
    name = re.sub(r"[^a-z0-9]", "", (filter or "").lower())
    return LETTERS.get(name) or LETTERS.get(re.sub(r"(nm|\d)+$", "", name))


def _ordered(images: Sequence[Image], roles: Sequence[str], settings: ChannelSettings) -> tuple[list[int], list[str]]:
    """Order in which the images fill the roles: by their filters where these tell without doubt."""
    found = [role_of(image) for image in images]
    same = list(range(len(images)))
    if settings.in_order or sorted(map(str, found)) != sorted(roles) or found == list(roles):
        return same, []
    return [found.index(role) for role in roles], [
        f"the images are taken in the order {' '.join(roles)} by the filters in their headers (--in-order: as given)"
    ]


def _placed(
    image: Image, name: str, role: str, target: Image, target_name: str, how: str
) -> tuple[Image, Registration | None]:
    """The image on the pixels of the target, and how it was moved."""
    if image is target:
        return image, None
    size = target.shape[1:]
    if how == "none" or role in NOT_MOVED:
        if image.shape[1:] != size:
            raise InputError(
                f"{name}: is {image.shape[2]} x {image.shape[1]} px, {target_name} {size[1]} x {size[0]} px; without "
                "aligning they must be equal"
            )
        return image, None
    registration = _registration(image, name, target, target_name, how)
    corners = np.array([[0, 0], [size[1] - 1, 0], [0, size[0] - 1], [size[1] - 1, size[0] - 1]], np.float64)
    moved = np.abs(registration.transform(corners) - corners).max()
    if moved < NEAR and image.shape[1:] == size:
        return image, None
    return brought_onto(image, registration.transform, size, plate=target.plate), registration


def _registration(image: Image, name: str, target: Image, target_name: str, how: str) -> Registration:
    trouble = ""
    if how in ("phase", "features"):
        try:
            return _by_pixels(image, target, how)
        except FrameError as error:
            raise InputError(f"{name}: cannot be brought onto {target_name}: {error}") from error
    if how in ("auto", "stars"):
        try:
            return match_stars(_stars(image), _stars(target), MatchStars(max_scale=4.0))
        except FrameError as error:
            trouble = str(error)
            if how == "stars":
                raise InputError(f"{name}: cannot be brought onto {target_name}: {error}") from error
    if image.plate is not None and target.plate is not None:
        try:
            return Registration(transform_of_plates(image.plate, target.plate), 0, 0.0, "plate")
        except FrameError as error:
            trouble = str(error)
    what = f"; {trouble}" if trouble else "; one of them has no plate (WCS)"
    raise InputError(
        f"{name}: cannot be brought onto {target_name}{what}; --align none takes images as they lie, if they lie on "
        "each other already"
    )


def _by_pixels(image: Image, target: Image, how: str) -> Registration:
    mine, theirs = (np.where(each.good.all(axis=0), each.data.mean(axis=0), np.nan) for each in (image, target))
    if how == "features":
        from firstlight.ops.align.features import match_features

        return match_features(mine, theirs)
    from firstlight.ops.align.phase import phase_correlate

    try:
        return phase_correlate(mine, theirs)
    except FrameError as error:
        # Taken on the other side of the pier? Phase correlation finds shifts alone.
        height, width = mine.shape
        half_a_turn = Transform(np.array([[-1.0, 0.0, width - 1.0], [0.0, -1.0, height - 1.0], [0.0, 0.0, 1.0]]))
        try:
            found = phase_correlate(np.ascontiguousarray(mine[::-1, ::-1]), theirs)
        except FrameError:
            raise error from None
        return replace(found, transform=half_a_turn.then(found.transform))


def _stars(image: Image) -> Stars:
    plane = image.data.mean(axis=0)
    excluded = ~image.good.all(axis=0)
    if excluded.any():
        plane = np.where(excluded, np.float32(np.median(plane[~excluded]) if (~excluded).any() else 0), plane)
    white = image.meta.saturation if image.unit == "adu" else None
    stars, _ = find_stars(
        plane, FindStars(max_stars=500), excluded=excluded if excluded.any() else None,
        saturation=0.95 * white if white else np.inf,
    )  # fmt: skip
    return stars


def _words(names: Sequence[str], registrations: Sequence[Registration | None]) -> list[str]:
    words = []
    for name, registration in zip(names, registrations):
        if registration is None:
            continue
        transform = registration.transform
        if not isinstance(transform, Transform):
            continue
        extra = ""
        if transform.is_flipped:
            extra = ", mirrored"
        elif abs(abs(transform.rotation) - 180) < 5:
            extra = ", taken on the other side of the pier"
        rms = f"rms {registration.rms:.2f} px"
        by = {
            "plate": "plates", "phase": "phase correlation", "features": f"{registration.n_matched} features, {rms}",
        }.get(registration.method, f"{registration.n_matched} stars, {rms}")  # fmt: skip
        words.append(f"{Path(name).name}: moved by {by}, scale {transform.scale:.4f}, "
                     f"turned {round(transform.rotation, 2) + 0.0:.2f} deg{extra}")  # fmt: skip
    return words


def _common(images: Sequence[Image]) -> list[Image]:
    """Cut to the largest upright rectangle about the middle that all images cover, nearly."""
    good = np.logical_and.reduce([image.good.all(axis=0) for image in images])
    if good.all() or not good.any():
        return list(images)
    rows, columns = good.mean(axis=1), good.mean(axis=0)
    most_rows, most_columns = np.quantile(rows, 0.75), np.quantile(columns, 0.75)
    y, x = np.flatnonzero(rows >= 0.98 * most_rows), np.flatnonzero(columns >= 0.98 * most_columns)
    each = step("crop:region", x=int(x[0]), y=int(y[0]), width=int(x[-1] - x[0] + 1), height=int(y[-1] - y[0] + 1))
    return [each(image) for image in images]
