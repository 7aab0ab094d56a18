"""A set of files edited: into copies, in place with their originals, and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.content import content_hash
from firstlight.io.edit_header import Change
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import find_files, open_frame
from firstlight.ops.meta.facts import Facts
from firstlight.pipeline.edit_files import ORIGINAL, plan_edits, restore, write_edits

FILTER = [Change("FILTER", "V")]


@pytest.fixture
def night(tmp_path):
    folder = tmp_path / "my night"
    for name in ("lights/a.fits", "lights/b.fits", "darks/a.fits"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_raw_fits(folder / name, np.full((8, 8), 100), [("IMAGETYP", "LIGHT", ""), ("EXPTIME", 30.0, "")])
    return folder


def hashes(folder):
    return {str(path.relative_to(folder)): content_hash(path) for path in sorted(folder.rglob("*.fits"))}


def test_a_plan_writes_nothing(night):
    before = hashes(night)
    jobs = plan_edits([night], FILTER, facts=Facts())
    assert [str(job.edit.done[0]) for job in jobs] == ["FILTER -> 'V'"] * 3
    assert hashes(night) == before


def test_copies_keep_their_place_and_the_inputs_their_bytes(night, tmp_path):
    before = hashes(night)
    out = tmp_path / "out"
    jobs = plan_edits([night], FILTER, facts=Facts(), output=out)
    assert len(write_edits(jobs)) == 3
    assert hashes(night) == before
    assert hashes(out).keys() == before.keys()
    assert {open_frame(path).meta.filter for path in find_files(out)} == {"V"}
    with pytest.raises(InputError, match="exists already"):
        write_edits(jobs)
    write_edits(jobs, overwrite=True)


def test_files_of_one_name_do_not_overwrite_one_another(night, tmp_path):
    with pytest.raises(InputError, match="would both become"):
        plan_edits([night / "lights/a.fits", night / "darks/a.fits"], FILTER, facts=Facts(), output=tmp_path / "out")
    # The same file given twice is one file.
    jobs = plan_edits([night / "lights", night / "lights/a.fits"], FILTER, facts=Facts(), output=tmp_path / "out")
    assert len(jobs) == 2
    with pytest.raises(InputError, match="is the file itself"):
        plan_edits([night], FILTER, facts=Facts(), output=night)
    first, second = plan_edits([night / "lights"], FILTER, facts=Facts())
    with pytest.raises(InputError, match="is one of the files themselves"):
        write_edits([replace(first, target=second.path), second], overwrite=True)


def test_in_place_keeps_the_oldest_original_and_restores_it(night):
    before = hashes(night)
    write_edits(plan_edits([night], FILTER, facts=Facts()))
    write_edits(plan_edits([night], [Change("FILTER", "R")], facts=Facts()))
    assert {open_frame(path).meta.filter for path in find_files(night)} == {"R"}
    assert len(list(night.rglob(f"*{ORIGINAL}"))) == len(find_files(night)) == 3
    restore([night])
    assert hashes(night) == before
    assert not list(night.rglob(f"*{ORIGINAL}"))
    with pytest.raises(InputError, match="only files edited in place"):
        restore([night])


def test_links_are_not_edited_in_place(night):
    link = night / "link.fits"
    link.symlink_to(night / "lights/a.fits")
    with pytest.raises(InputError, match="is a link"):
        write_edits(plan_edits([link], FILTER, facts=Facts()))
    assert open_frame(link).meta.filter is None


def test_fill_writes_what_an_itelescope_name_says_and_what_follows(tmp_path):
    path = tmp_path / "raw-T31-jdoe-NGC_253_x1_y2-20210907-131415-Ha-BIN1-W-300-001.fit"
    cards = [("DATE-OBS", "2021-09-07T13:14:15", ""), ("OBJECT", "", ""), ("FILTER", "Halpha", ""), ("RA", 11.888, ""),
             ("DEC", -25.288, "")]  # fmt: skip
    write_raw_fits(path, np.full((8, 8), 100), cards)
    jobs = plan_edits([path], [], facts=Facts(observer_code="DOEJ"), fill=True, output=tmp_path / "out")
    (target,) = write_edits(jobs)
    meta = open_frame(target.rename(tmp_path / "renamed.fit")).meta
    said = {k: v for k, v, _ in meta.cards}
    assert (meta.target, meta.filter, meta.telescope, meta.observer) == ("NGC 253", "Halpha", "T31", "jdoe")
    assert (meta.site, meta.observer_code, meta.pier_side, meta.exposure) == ("Siding Spring", "DOEJ", "west", 300.0)
    assert meta.longitude == pytest.approx(149.06444)
    assert said["AMSTART"] > said["AIRMASS"] > said["AMEND"] > 1
    assert said["BJD_TDB"] == pytest.approx(2459465.06, abs=0.02)


def test_fill_leaves_a_complete_header_alone(tmp_path):
    path = tmp_path / "dark_001.fits"
    write_raw_fits(path, np.full((8, 8), 100), [("IMAGETYP", "DARK", ""), ("EXPTIME", 30.0, "")])
    (job,) = plan_edits([path], [], facts=Facts(), fill=True)
    assert job.edit.done == ()


def test_a_broken_file_is_a_problem_of_its_own(night):
    (night / "lights/broken.fits").write_bytes(b"SIMPLE")
    jobs = plan_edits([night], FILTER, facts=Facts())
    assert [job.path.name for job in jobs if job.edit is None] == ["broken.fits"]
    assert "broken.fits" in next(job.problem for job in jobs if job.edit is None)


def test_fill_follows_from_what_is_set(tmp_path):
    path = tmp_path / "light_001.fits"
    write_raw_fits(path, np.full((8, 8), 100), [("DATE-OBS", "2026-01-17T22:00:00", ""), ("EXPTIME", 60.0, "")])
    changes = [Change("RA", 83.8), Change("DEC", -5.4), Change("SITELAT", 48.0), Change("SITELONG", 11.6)]
    (job,) = plan_edits([path], changes, facts=Facts(), fill=True)
    said = {done.keyword: done.new for done in job.edit.done}
    assert said["AIRMASS"] == pytest.approx(1.74, abs=0.05)
    assert said["RA"] == 83.8


def test_another_site_than_that_of_the_header_is_written_whole(tmp_path):
    path = tmp_path / "light_001.fits"
    cards = [("DATE-OBS", "2026-01-17T14:00:00", ""), ("EXPTIME", 60.0, ""), ("RA", 83.8, ""), ("DEC", -5.4, ""),
             ("SITELAT", 48.0, ""), ("SITELONG", 11.6, ""), ("AIRMASS", 9.9, "")]  # fmt: skip
    write_raw_fits(path, np.full((8, 8), 100), cards)
    (job,) = plan_edits([path], [], facts=Facts(site="T31"), fill=True, output=tmp_path / "out")
    (target,) = write_edits([job])
    meta = open_frame(target).meta
    said = {k: v for k, v, _ in meta.cards}
    assert (said["SITELAT"], said["SITELONG"]) == (pytest.approx(-31.27333), pytest.approx(149.06444))
    assert 1 < said["AIRMASS"] < 2
    assert said["AIRMASS"] == pytest.approx(meta.airmass)
    # The same site: a header that is complete stays as it is.
    (job,) = plan_edits([target], [], facts=Facts(site="T31"), fill=True)
    assert job.edit.done == ()
