"""Products: nothing is lost between writing and reading, other programs read them, nobody sees half of one."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from astropy.io import fits

from firstlight.errors import InputError
from firstlight.io import atomic
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import open_frame, read
from firstlight.io.write import read_provenance, write
from firstlight.model.flags import FLAG_NAMES, Flag
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate

START = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
META = Meta(
    kind=Kind.STACK,
    target="Barnard's star",
    filter="Ha",
    exposure=3600.5,
    start=START,
    end=START + timedelta(seconds=4321.5),
    middle=START + timedelta(seconds=2000.25),
    camera="ASI 1600",
    serial="0042",
    telescope="Newton 200/800",
    observer="A. Observer",
    site="Hill",
    software="N.I.N.A. 3",
    gain=1.0,
    gain_setting=139.0,
    offset=21.0,
    read_noise=1.7,
    saturation=65520.0,
    readout_mode="High gain",
    temperature=-20.1,
    set_temperature=-20.0,
    binning=(2, 2),
    origin=(4, 8),
    pixel_size=7.6,
    focal_length=800.0,
    ra=269.45,
    dec=-0.5,
    pier_side="west",
    airmass=1.25,
    rotator=12.5,
    observer_code="XYZ",
    latitude=47.5,
    longitude=-11.25,
    elevation=520.0,
    calibrated=frozenset({"bias", "dark"}),
    n_combined=12,
    bottom_up=True,
    cards=(("AMBTEMP", 7.5, "[deg C]"), ("LONGNOTE", "it's " * 40 + "end", ""), ("HISTORY", "by another program", "")),
)
PLATE = Plate(
    {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 269.45,
        "CRVAL2": 4.7,
        "CRPIX1": 3.0,
        "CRPIX2": 4.0,
        "CD1_1": -1e-4,
        "CD1_2": 0.0,
        "CD2_1": 0.0,
        "CD2_2": 1e-4,
        "RADESYS": "ICRS",
    }
)
LONG_STEP = "abr:localgradient@1:scale=512,strength=1.0," + ",".join(f"point{n}={n}" for n in range(30))


def image(channels: int = 3, **changes) -> Image:
    generator = np.random.default_rng(5)
    data = generator.normal(100, 30, (channels, 33, 47)).astype(np.float32)
    flags = generator.integers(0, 1024, data.shape).astype(np.uint16) & ~np.uint16(Flag.NOT_FINITE)
    data[0, 1, 2] = np.nan
    made = Image(
        data,
        flags=flags,
        variance=data**2,
        unit=PixelUnit.ELECTRON,
        plate=PLATE,
        meta=META,
        history=("cal:dark@1", LONG_STEP),
    )
    return made.replace(**changes)


@pytest.mark.parametrize("channels", [1, 3])
def test_round_trip(tmp_path, channels):
    before = image(channels)
    after = read(write(tmp_path / "a.fits", before))
    np.testing.assert_array_equal(after.data, before.data)
    np.testing.assert_array_equal(after.flags, before.flags)
    np.testing.assert_array_equal(after.variance, before.variance)
    assert (after.unit, after.state, after.history) == (before.unit, before.state, before.history)
    assert dict(after.plate.cards) == dict(PLATE.cards)
    for field in dataclasses.fields(Meta):
        if field.name not in ("sources", "cards", "notes"):
            assert getattr(after.meta, field.name) == getattr(META, field.name), field.name
    for card in META.cards:
        assert card in after.meta.cards
    # A second time changes nothing.
    again = read(write(tmp_path / "b.fits", after))
    assert again.meta == after.meta
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


@pytest.mark.parametrize("unit", list(PixelUnit))
@pytest.mark.parametrize("state", list(State))
def test_unit_and_state(tmp_path, unit, state):
    after = read(write(tmp_path / "a.fits", Image(np.zeros((4, 5)), unit=unit, state=state)))
    assert (after.unit, after.state, after.variance) == (unit, state, None)
    assert not after.flags.any()


def test_low_and_high_rejections_are_two_planes(tmp_path):
    low = np.arange(33 * 47, dtype=np.uint16).reshape(33, 47)
    path = write(tmp_path / "a.fits", image(), rejection=(low, low + 1))
    with fits.open(path) as units:
        assert [unit.name for unit in units] == ["SCI", "VAR", "DQ", "REJECTED_LOW", "REJECTED_HIGH"]
        np.testing.assert_array_equal(units["REJECTED_LOW"].data[0], low)
        np.testing.assert_array_equal(units["REJECTED_HIGH"].data[0], low + 1)
    assert read(path).shape == image().shape


@pytest.mark.parametrize("bottom_up", [False, True])
@pytest.mark.parametrize("height", [20, 21])
def test_the_mosaic_is_the_same_after_writing(tmp_path, bottom_up, height):
    meta = Meta(cfa="RGGB", bottom_up=bottom_up)
    assert read(write(tmp_path / "a.fits", Image(np.zeros((height, 30)), meta=meta))).meta.cfa == "RGGB"


def test_astropy_reads_a_product_and_its_checksums_hold(tmp_path):
    before = image()
    coverage = np.full((33, 47), 12, np.uint8)
    path = write(
        tmp_path / "a.fits", before, coverage=coverage, rejection=coverage / 3, provenance={"inputs": ["a", "ä"]}
    )
    with fits.open(path, checksum=True) as units:
        units.verify("exception")
        assert [unit.name for unit in units] == ["SCI", "VAR", "DQ", "COVERAGE", "REJECTION", "PROVENANCE"]
        np.testing.assert_array_equal(units["SCI"].data, before.data)
        np.testing.assert_array_equal(units["DQ"].data[0], before.flags)
        np.testing.assert_array_equal(units["COVERAGE"].data[0], coverage)
        assert json.loads(units["PROVENANCE"].data["json"][0]) == {"inputs": ["a", "ä"]}
        for unit in units:
            assert unit.verify_checksum() == 1
            assert unit.verify_datasum() == 1
        header = units["SCI"].header
        assert header["OBJECT"] == "Barnard's star"
        assert header["LONGNOTE"] == "it's " * 40 + "end"
        assert (header["CALSTAT"], header["BIASCAL"], header["FLATCAL"]) == ("BD", True, False)
        assert header["DATE-AVG"] == "2020-01-02T03:37:25.928901"
        assert header["MJD-AVG"] == pytest.approx(58850.15099454744, abs=1e-9)
        assert {units["DQ"].header[f"FLAG{bit}"] for bit in FLAG_NAMES} == set(FLAG_NAMES.values())
    assert read_provenance(path) == {"inputs": ["a", "ä"]}


@pytest.mark.skipif(shutil.which("fitsverify") is None, reason="fitsverify is not installed")
def test_fitsverify_finds_no_fault(tmp_path):
    path = write(tmp_path / "a.fits", image(), provenance={})
    done = subprocess.run(["fitsverify", "-q", str(path)], capture_output=True, text=True, check=False)
    # It still asks for the LONGSTRN keyword, which the standard gave up when it took in CONTINUE (4.0): a warning.
    assert "OK" in done.stdout or "1 warnings and 0 errors" in done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="siril-cli is not installed")
@pytest.mark.parametrize("channels", [1, 3])
def test_siril_opens_a_product(tmp_path, channels):
    write(tmp_path / "a.fits", image(channels), coverage=np.ones((33, 47), np.float32), provenance={"a": 1})
    (tmp_path / "look.ssf").write_text("requires 1.0.0\nload a.fits\nstat\nclose\n")
    command = ["siril-cli", "-d", str(tmp_path), "-s", str(tmp_path / "look.ssf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert f"{channels} layer(s), 47x33 pixels" in done.stdout + done.stderr


def test_a_single_channel_is_a_plane(tmp_path):
    with fits.open(write(tmp_path / "a.fits", Image(np.zeros((4, 5))))) as units:
        assert units[0].data.shape == (4, 5)


def test_old_keywords_do_not_contradict_the_new(tmp_path):
    raw = tmp_path / "raw.fits"
    write_raw_fits(
        raw,
        np.ones((4, 5), np.uint16),
        [("EXPOSURE", 5.0, ""), ("GAIN", 180, ""), ("PEDESTAL", -100, ""), ("KEEP", 1, "")],
    )
    before = read(raw)
    stacked = before.replace(meta=before.meta.replace(exposure=500.0, gain=2.0, n_combined=100))
    after = read(write(tmp_path / "a.fits", stacked))
    np.testing.assert_array_equal(after.data, -99)
    with fits.open(tmp_path / "a.fits") as units:
        header = units[0].header
        assert "EXPOSURE" not in header
        assert "PEDESTAL" not in header
        assert (header["EXPTIME"], header["GAIN"], header["GAINSET"], header["KEEP"]) == (500.0, 2.0, 180.0, 1)


def test_raw_frames_of_the_simulator(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 65536, (31, 17)).astype(np.uint16)
    write_raw_fits(tmp_path / "r.fits", pixels, [("EXPTIME", 2.5, "[s]"), ("IMAGETYP", "Light Frame", "")])
    frame = open_frame(tmp_path / "r.fits")
    assert (frame.dtype, frame.zero, frame.meta.exposure, frame.seekable) == (np.dtype(">i2"), 32768.0, 2.5, True)
    np.testing.assert_array_equal(fits.getdata(tmp_path / "r.fits"), pixels)


def test_refusals(tmp_path):
    linear = Image(np.zeros((4, 5)))
    with pytest.raises(InputError, match="stretch it first"):
        write(tmp_path / "a.png", linear)
    with pytest.raises(InputError, match=r"suffix is '\.doc'"):
        write(tmp_path / "a.doc", linear)
    write(tmp_path / "a.fits", linear)
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "a.fits", linear, overwrite=False)
    (tmp_path / "plain").touch()
    with pytest.raises(InputError, match="cannot make this folder"):
        write(tmp_path / "plain" / "a.fits", linear)


def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch):
    write(tmp_path / "a.fits", Image(np.zeros((4, 5))))
    before = (tmp_path / "a.fits").read_bytes()

    def full(_descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(InputError, match="disk is full"):
        write(tmp_path / "a.fits", image())
    assert os.listdir(tmp_path) == ["a.fits"]
    assert (tmp_path / "a.fits").read_bytes() == before


def test_an_error_in_the_block_leaves_the_old_file(tmp_path):
    (tmp_path / "x.txt").write_text("old")

    def fail() -> None:
        with atomic.atomic_path(tmp_path / "x.txt") as temporary:
            assert (temporary.parent, temporary.suffix, temporary.name[0]) == (tmp_path, ".txt", ".")
            temporary.write_text("new")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == ["x.txt"]
    assert (tmp_path / "x.txt").read_text() == "old"
