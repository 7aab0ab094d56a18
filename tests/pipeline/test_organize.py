"""Collections: every file in its place, none overwritten, every source as it was."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from firstlight.errors import InputError, SpecError
from firstlight.io.content import content_hash
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import find_files, open_frame
from firstlight.ops.meta.facts import Facts
from firstlight.pipeline.collection import read_record, summary_rows
from firstlight.pipeline.facts import Finder
from firstlight.pipeline.organize import carry_out, plan_sorting

NUMBERS = iter(range(10_000))


def frame(path, **cards):
    path.parent.mkdir(parents=True, exist_ok=True)
    cards = {k.replace("_", "-"): v for k, v in cards.items()}
    pixels = np.full((8, 8), 100 + next(NUMBERS))
    write_raw_fits(path, pixels, [(k, v, "") for k, v in cards.items() if v is not None])
    return path


@pytest.fixture
def card(tmp_path):
    folder = tmp_path / "my card"
    light = {"IMAGETYP": "LIGHT", "OBJECT": "M 31", "FILTER": "Ha", "EXPTIME": 300.0}
    frame(folder / "a.fits", DATE_OBS="2026-01-17T22:00:00", **light)
    frame(folder / "b.fits", DATE_OBS="2026-01-18T04:00:00", **light)
    frame(folder / "c.fits", DATE_OBS="2026-01-18T22:00:00", **{**light, "FILTER": None})
    frame(folder / "dark.fits", IMAGETYP="DARK", EXPTIME=0.5, DATE_OBS="2026-01-17T18:00:00")
    frame(folder / "flat [1].fits", IMAGETYP="FLAT", EXPTIME=2.0, FILTER="Ha", DATE_OBS="2026-01-17T16:00:00")
    return folder


def sort(source, folder, **options):
    sorting = plan_sorting([source] if not isinstance(source, list) else source, folder, **options)
    carry_out(sorting)
    return sorting


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in find_files(folder))


def test_places_and_names(card, tmp_path):
    out = tmp_path / "collection"
    before = {path: path.read_bytes() for path in find_files(card)}
    sort(card, out)
    said = {path: content_hash(path)[:8] for path in find_files(card)}
    a, b, c, dark, flat = (said[card / n] for n in ("a.fits", "b.fits", "c.fits", "dark.fits", "flat [1].fits"))
    assert tree(out) == sorted([
        f"2026-01-17/M_31/Ha/light_M_31_Ha_300s_20260117T220000_{a}.fits",
        f"2026-01-17/M_31/Ha/light_M_31_Ha_300s_20260118T040000_{b}.fits",
        f"2026-01-18/M_31/nofilter/light_M_31_nofilter_300s_20260118T220000_{c}.fits",
        f"2026-01-17/darks/dark_0.5s_20260117T180000_{dark}.fits",
        f"2026-01-17/flats/Ha/flat_Ha_2s_20260117T160000_{flat}.fits",
    ])  # fmt: skip
    assert {path: path.read_bytes() for path in find_files(card)} == before
    assert all(os.path.samefile(out / entry.path, entry.source) for entry in read_record(out))
    record = json.loads((out / "collection.json").read_text())
    assert (record["objects"], record["filters"], record["exposures_ms"]) == (["M 31"], ["Ha"], [500, 2000, 300000])
    assert next(iter(summary_rows(read_record(out)))) == ("2026-01-17", "M_31", "Ha", "2", "10.0 min")


def test_a_second_time_nothing_and_then_only_what_is_new(card, tmp_path, monkeypatch):
    out = tmp_path / "collection"
    sort(card, out)
    with monkeypatch.context() as patch:
        # What is linked already is not read again.
        patch.setattr("firstlight.pipeline.organize.content_hash", None)
        again = sort(card, out)
    assert (len(again.new), len(again.there)) == (0, 5)
    frame(card / "sub/new.fits", IMAGETYP="LIGHT", OBJECT="M 33")
    assert len(sort(card, out).new) == 1
    assert len(read_record(out)) == len(tree(out)) == 6
    # A link that was taken away comes back.
    (out / read_record(out)[0].path).unlink()
    assert len(sort(card, out).new) == 1
    assert len(tree(out)) == 6


def test_the_same_content_twice_is_one_file(card, tmp_path):
    (card / "copy of a.fits").write_bytes((card / "a.fits").read_bytes())
    sorting = sort(card, tmp_path / "out")
    assert len(sorting.new) == 5
    assert len(sorting.twins) == 1


@pytest.mark.parametrize("link", ["symbolic", "copy"])
def test_links_and_copies(card, tmp_path, link):
    out = tmp_path / "out"
    sort(card, out, link=link)
    paths = [out / entry.path for entry in read_record(out)]
    assert all(path.is_symlink() == (link == "symbolic") for path in paths)
    assert all(content_hash(out / e.path) == e.sha256 == content_hash(e.source) for e in read_record(out))
    assert link == "symbolic" or not any(os.path.samefile(out / e.path, e.source) for e in read_record(out))


def test_original_names_never_overwrite(card, tmp_path):
    frame(card / "other/a.fits", IMAGETYP="LIGHT", OBJECT="M 31", FILTER="Ha", DATE_OBS="2026-01-17T23:00:00")
    out = tmp_path / "out"
    sort(card, out, names="original", by=["object"])
    names = tree(out)
    second = next(e for e in read_record(out) if e.source.endswith("other/a.fits"))
    assert "M_31/a.fits" in names
    assert f"M_31/a_{second.sha256[:8]}.fits" in names


def test_a_foreign_file_is_not_overwritten(card, tmp_path):
    out = tmp_path / "out"
    target = plan_sorting([card / "a.fits"], out).new[0].path
    (out / target).parent.mkdir(parents=True)
    (out / target).write_text("mine")
    sort(card / "a.fits", out)
    assert (out / target).read_text() == "mine"
    assert len(read_record(out)) == 1


def test_what_only_names_and_side_files_tell_is_told_again(tmp_path):
    source = tmp_path / "delivered"
    name = "raw-T31-jdoe-NGC_253-20210907-131415-Ha-BIN1-W-300-001.fit"
    frame(source / name, DATE_OBS="2021-09-07T13:14:15", FILTER="Visible")
    (source / "metadata.csv").write_text("NAME,FILTER!,WEIGHT\n*,SII,1\n")
    out = tmp_path / "out"
    sort(source, out, facts=Facts(observer="Jane Doe"))
    (path,) = find_files(out)
    assert path.name.startswith("light_NGC_253_SII_300s_20210907T131415_")
    # 13:14 UTC is 23 o'clock in Siding Spring, where T31 stands.
    assert path.relative_to(out).parts[0] == "2021-09-07"
    meta = Finder(Facts(), out).known(open_frame(path)).meta
    assert (meta.target, meta.filter, meta.exposure, meta.observer) == ("NGC 253", "SII", 300.0, "Jane Doe")
    assert (meta.telescope, meta.pier_side, meta.site) == ("T31", "west", "Siding Spring")
    assert ("WEIGHT", 1, "") in meta.cards


def test_nights_go_by_the_sun_of_the_site(card, tmp_path):
    plain = plan_sorting([card], tmp_path / "x")
    assert any("cut at noon in Greenwich" in note for note in plain.notes)
    there = plan_sorting([card], tmp_path / "x", facts=Facts(site="Siding Spring"), by=["night"])
    assert {entry.night for entry in there.new if "dark" not in entry.path} == {"2026-01-17", "2026-01-18"}
    assert not there.notes


def test_only(card, tmp_path):
    sorting = plan_sorting([card], tmp_path / "x", only={"object": "M 31", "filter": "ha"})
    assert len(sorting.new) == 2
    assert len(plan_sorting([card], tmp_path / "x", only={"kind": "lights"}).new) == 3


def test_mistakes(card, tmp_path):
    with pytest.raises(SpecError, match="did you mean filter"):
        plan_sorting([card], tmp_path / "x", by=["fliter"])
    with pytest.raises(InputError, match="is a file"):
        plan_sorting([card], card / "a.fits")
    (card / "broken.fits").write_bytes(b"SIMPLE")
    assert len(plan_sorting([card], tmp_path / "x").broken) == 1
    out = tmp_path / "out"
    out.mkdir()
    (out / "collection.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        plan_sorting([card], out)


def test_a_collection_is_a_session(card, tmp_path):
    from firstlight.pipeline.plan import plan

    out = tmp_path / "out"
    sort(card, out)
    decided = plan(out)
    assert {group.target for group in decided.groups} == {"M 31"}
    assert len(decided.sightings) == 5
