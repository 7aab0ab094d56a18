"""What is known of a session besides the headers of its frames."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import find_files, open_frame
from firstlight.io.sites import read_sites
from firstlight.model.meta import Meta
from firstlight.ops.meta.facts import Facts
from firstlight.pipeline.facts import key_of, located, observe, with_airmass, with_facts
from firstlight.pipeline.plan import plan
from firstlight.pipeline.record import Record
from firstlight.pipeline.settings import Settings

LIGHT = {"IMAGETYP": "LIGHT", "EXPTIME": 60.0, "DATE-OBS": "2026-01-17T22:00:00", "RA": 83.8, "DEC": -5.4}


def frame(path: Path, **cards):
    cards = {k.replace("_", "-"): v for k, v in cards.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raw_fits(path, np.full((8, 8), 100), [(k, v, "") for k, v in {**LIGHT, **cards}.items() if v is not None])
    return path


def known(folder, **facts):
    return with_facts([open_frame(path) for path in find_files(folder)], Facts(**facts), folder)


def test_the_settings_win_over_header_and_side_file(tmp_path):
    frame(tmp_path / "a.fits", OBSERVER="capture program", TELESCOP="EQMOD")
    (tmp_path / "metadata.yaml").write_text("observer_code: XYZ\nTELESCOP: other\n")
    (found,) = known(tmp_path, observer="Jane Doe", site="Siding Spring").frames
    meta = found.meta
    assert (meta.observer, meta.observer_code, meta.telescope) == ("Jane Doe", "XYZ", "EQMOD")
    assert (meta.site, meta.latitude) == ("Siding Spring", pytest.approx(-31.27333))
    assert meta.sources["observer"] == meta.sources["latitude"] == "the settings"


def test_site_by_header_by_its_name_by_telescope():
    sites = read_sites()
    when = datetime(2020, 1, 1, tzinfo=UTC)
    header = Meta(latitude=10.0, longitude=20.0, telescope="T31")
    assert located(header, sites) == header
    assert located(Meta(site="Cerro Tololo"), sites).latitude == -30.1673
    by_telescope = located(Meta(telescope="T21", start=when), sites)
    assert (by_telescope.site, by_telescope.sources["latitude"]) == ("Mayhill", "the table of telescopes (T21)")
    assert located(Meta(telescope="Newton"), sites).latitude is None


def test_a_longitude_counted_westward(real_data):
    folder = real_data("hatp32_microobs")
    path = folder / "HATP-32171220013343.FITS.fz"
    (found,) = with_facts([open_frame(path)], Facts(), folder).frames
    assert (found.meta.longitude, found.meta.sources["longitude"]) == (-110.88, "LONGITUD, counted westward")
    assert any("counted westward" in note for note in found.meta.notes)


def test_the_clock_of_the_camera(tmp_path):
    frame(tmp_path / "a.fits", DATE_OBS="2026-01-18T00:00:00")
    frame(tmp_path / "b.fits", DATE_OBS="2026-01-18T00:00:00Z")
    frame(tmp_path / "c.fits", DATE_OBS=None, DATE_LOC="2026-01-18T00:00:00")
    zoned, plain = known(tmp_path, clock="+02:00").frames, known(tmp_path).frames
    assert [f.meta.start.hour for f in zoned] == [22, 0, 22]
    assert [f.meta.start is None for f in plain] == [False, False, True]
    with pytest.raises(InputError, match="Mars"):
        known(tmp_path, clock="Mars/Olympus")


def test_a_named_file_of_metadata_and_names_without_a_frame(tmp_path):
    frame(tmp_path / "lights" / "a.fits")
    (tmp_path / "mine.csv").write_text("NAME,OBJECT\na,M 42\nzz,M 43\nyy,M 44\n")
    found = known(tmp_path, metadata=str(tmp_path / "mine.csv"))
    assert found.frames[0].meta.target == "M 42"
    assert found.notes == ("mine.csv: no frame is called zz and 1 more",)
    with pytest.raises(InputError, match="no such file of metadata"):
        known(tmp_path, metadata="other.csv")


def test_what_is_missing_is_said_once_for_alike_lights(tmp_path):
    for name in "abc":
        frame(tmp_path / f"{name}.fits", RA=None, DEC=None)
    frame(tmp_path / "d.fits", SITELAT=48.0, SITELONG=11.6)
    lights = known(tmp_path).frames
    observing, notes = observe(lights)
    assert len(notes) == 1
    assert notes[0].startswith("3 lights: airmass")
    assert "no site and no position" in notes[0]
    assert observing[key_of(lights[3])].airmass == pytest.approx(1.74, abs=0.1)
    assert observing[key_of(lights[0])].bjd_tdb is None


def test_the_airmass_is_filled_and_a_wrong_one_noted(tmp_path):
    place = {"SITELAT": 48.0, "SITELONG": 11.6}
    frame(tmp_path / "a.fits", **place)
    frame(tmp_path / "b.fits", AIRMASS=1.2, **place)
    frame(tmp_path / "c.fits", DATE_OBS="2026-01-17T10:00:00", **place)
    frames = known(tmp_path).frames
    observing, _ = observe(frames)
    filled, wrong, below = (with_airmass(f, observing[key_of(f)]).meta for f in frames)
    assert (filled.sources["airmass"], filled.notes) == ("site, time and position", ())
    assert (wrong.airmass, "one of them is wrong" in wrong.notes[0]) == (1.2, True)
    assert (below.airmass, "below the horizon" in below.notes[0]) == (None, True)


def test_a_changed_side_file_is_another_run(tmp_path):
    frame(tmp_path / "a.fits")
    prints = []
    for text in ("observer: a", "observer: b", "observer: b"):
        (tmp_path / "metadata.yaml").write_text(text)
        prints.append(Record.of(plan(tmp_path)).fingerprint)
    assert prints[0] != prints[1] == prints[2]


def test_settings_of_a_run_are_those_facts():
    settings = Settings(observer="me", site="Teide")
    assert Facts.of(settings) == Facts(observer="me", site="Teide")
