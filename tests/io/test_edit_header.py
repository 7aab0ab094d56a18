"""Edited files: the change asked for, and nothing else; astropy is the second reader."""

from __future__ import annotations

import gzip
import warnings

import numpy as np
import pytest
from astropy.io import fits

from firstlight import read
from firstlight.errors import FrameError, InputError
from firstlight.io.edit_header import Change, plan_edit
from firstlight.io.read import open_frame

PIXELS = np.random.default_rng(5).integers(0, 60000, (30, 40)).astype(np.uint16)
CARDS = [
    ("OBJECT", "M 31", "the target"), ("FILTER", "Visible", ""), ("EXPTIME", 30.5, "[s]"), ("ODD", "it's", "quoted"),
    ("LONGSTR", "x" * 100, ""),
]  # fmt: skip


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.fits"
    fits.writeto(path, PIXELS, fits.Header(CARDS))
    return path


def edited(path, *changes, name="b.fits"):
    target = path.with_name(name)
    edit = plan_edit(path, changes)
    edit.write(target)
    return target, edit.done


def header_and_pixels(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as units:
            units.verify("exception")
            unit = next(unit for unit in units if unit.data is not None)
            return unit.header.copy(), unit.data.copy()


def test_set_add_and_remove(file):
    before = file.read_bytes()
    target, done = edited(
        file, Change("FILTER", "V"), Change("OBSERVER", "Jane Doe", if_missing=True), Change("ODD"),
        Change("OBJECT", "M 33", if_missing=True), Change("EXPTIME", 30.5), Change("NOTHERE"),
    )  # fmt: skip
    header, pixels = header_and_pixels(target)
    assert (header["FILTER"], header["OBSERVER"], header["OBJECT"]) == ("V", "Jane Doe", "M 31")
    assert "ODD" not in header
    assert header.comments["OBJECT"] == "the target"
    assert list(header["HISTORY"]) == [
        "meta edit: FILTER 'Visible' -> 'V'", "meta edit: OBSERVER -> 'Jane Doe'", "meta edit: ODD 'it's' removed",
    ]  # fmt: skip
    assert len(done) == 3
    np.testing.assert_array_equal(pixels, PIXELS)
    assert file.read_bytes() == before
    # All other cards, byte for byte, in their order.
    kept = [c for c in _cards(before) if c.strip() and not c.startswith(("FILTER", "ODD", "END"))]
    assert [c for c in _cards(target.read_bytes()) if c in kept] == kept


def _cards(data):
    return [data[i : i + 80].decode() for i in range(0, 2880, 80)]


def test_no_change_is_no_change(file):
    target, done = edited(file, Change("FILTER", "Visible"), Change("EXPTIME", 1.0, if_missing=True))
    assert done == ()
    assert target.read_bytes() == file.read_bytes()


def test_a_header_that_grows_by_a_block_and_shrinks_again(file):
    more = [Change(f"KEY{i}", i) for i in range(60)]
    target, _ = edited(file, *more)
    header, pixels = header_and_pixels(target)
    assert header["KEY59"] == 59
    np.testing.assert_array_equal(pixels, PIXELS)
    back, _ = edited(target, *(Change(f"KEY{i}") for i in range(60)), name="c.fits")
    assert "KEY0" not in header_and_pixels(back)[0]


def test_checksums_are_made_right(tmp_path):
    path = tmp_path / "a.fits"
    fits.writeto(path, PIXELS, fits.Header(CARDS), checksum=True)
    target, _ = edited(path, Change("FILTER", "V"))
    header, _ = header_and_pixels(target)
    assert header["DATASUM"] == fits.getheader(path)["DATASUM"]
    np.testing.assert_array_equal(read(target).data[0], PIXELS)


@pytest.mark.parametrize("kind", ["gzip", "rice", "extension"])
def test_packed_compressed_and_extensions(tmp_path, kind):
    path = tmp_path / {"gzip": "a.fits.gz", "rice": "a.fits.fz", "extension": "a.fits"}[kind]
    if kind == "gzip":
        fits.writeto(path, PIXELS, fits.Header(CARDS))
    elif kind == "rice":
        fits.CompImageHDU(PIXELS, fits.Header(CARDS), compression_type="RICE_1").writeto(path, checksum=True)
    else:
        primary = fits.PrimaryHDU(header=fits.Header([("OBSERVER", "primary", "")]))
        fits.HDUList([primary, fits.ImageHDU(PIXELS, fits.Header(CARDS)), fits.ImageHDU(PIXELS)]).writeto(path)
    target, _ = edited(path, Change("FILTER", "V"), Change("OBSERVER", "changed"), name=f"b-{path.name}")
    header, pixels = header_and_pixels(target)
    assert header["FILTER"] == "V"
    np.testing.assert_array_equal(pixels, PIXELS)
    assert open_frame(target).meta.observer == "changed"
    if kind == "extension":
        assert fits.getheader(target, 0)["OBSERVER"] == "changed"
        assert "OBSERVER" not in fits.getheader(target, 1)
        np.testing.assert_array_equal(fits.getdata(target, 2), PIXELS)
    if kind == "gzip":
        assert gzip.decompress(target.read_bytes())[:6] == b"SIMPLE"


def test_an_edited_type_is_not_taken_for_a_correction(file):
    """HISTORY that tells of a Flat Field card must not read as `flat fielded`."""
    target, _ = edited(file, Change("IMAGETYP", "Flat Field"), Change("FILTER", "Dark subtracted"))
    assert (
        open_frame(edited(target, Change("IMAGETYP", "Light Frame"), name="c.fits")[0]).meta.calibrated == frozenset()
    )


def test_long_and_foreign_text(file):
    target, _ = edited(
        file, Change("NOTE", "It's " * 40), Change("OBSERVER", "Jürgen Škoda"), Change("LONGSTR", "short")
    )
    header, _ = header_and_pixels(target)
    assert header["NOTE"].strip() == ("It's " * 40).strip()
    assert header["OBSERVER"] == "Jurgen Skoda"
    assert header["LONGSTR"] == "short"


def test_a_blank_value_is_a_missing_one(tmp_path):
    path = tmp_path / "a.fits"
    fits.writeto(path, PIXELS, fits.Header([("OBJECT", "  ", "")]))
    target, _ = edited(path, Change("OBJECT", "M 1", if_missing=True))
    assert header_and_pixels(target)[0]["OBJECT"] == "M 1"


def test_what_cannot_be_edited(tmp_path, file):
    other = tmp_path / "a.tif"
    other.write_bytes(b"II*\0" + bytes(100))
    with pytest.raises(FrameError, match="other formats"):
        plan_edit(other, [Change("FILTER", "V")])
    with pytest.raises(InputError, match="cannot stand"):
        plan_edit(file, [Change("FILTER", float("nan"))])


def test_real_frames(real_data, tmp_path):
    for name in ("hatp32_microobs/HATP-32171220013343.FITS.fz", "zoo_public/msumastro/maximdl_5_23_header.fit"):
        source = real_data(name)
        target = tmp_path / source.name
        plan_edit(source, [Change("FILTER", "V"), Change("TELESCOP")]).write(target)
        np.testing.assert_array_equal(read(target).data, read(source).data)
        assert (open_frame(target).meta.filter, open_frame(target).meta.telescope) == ("V", None)


@pytest.mark.parametrize("kind", [fits.ImageHDU, fits.CompImageHDU])
def test_all_three_images_of_a_colour_image_are_edited(tmp_path, kind):
    colours = [
        kind(np.full((8, 9), value, np.int16), fits.Header([("EXPTIME", 30.0), ("FILTER", name)]), name=name)
        for value, name in enumerate(("RED", "GREEN", "BLUE"))
    ]
    path = tmp_path / "rgb.fits"
    fits.HDUList([fits.PrimaryHDU(header=fits.Header([("OBSERVER", "Jane")])), *colours]).writeto(path, checksum=True)
    target, done = edited(path, Change("EXPTIME", 60.0), Change("AIRMASS", 1.2), Change("OBSERVER", "Joe"))
    assert [str(each) for each in done] == ["EXPTIME 30.0 -> 60.0", "AIRMASS -> 1.2", "OBSERVER 'Jane' -> 'Joe'"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(target, checksum=True) as units:
            assert [(u.header["EXPTIME"], u.header["AIRMASS"]) for u in units[1:]] == [(60.0, 1.2)] * 3
            assert [len(u.header["HISTORY"]) for u in units[1:]] == [3] * 3
            assert units[0].header["OBSERVER"] == "Joe"
            assert [int(u.data[0, 0]) for u in units[1:]] == [0, 1, 2]
    edited(target, Change("FILTER", "RGB"), name="c.fits")


def test_the_filters_that_tell_three_images_apart_stay(tmp_path):
    colours = [fits.ImageHDU(np.zeros((8, 9), np.int16), fits.Header([("FILTER", name)])) for name in "RGB"]
    path = tmp_path / "rgb.fits"
    fits.HDUList([fits.PrimaryHDU(), *colours]).writeto(path)
    with pytest.raises(FrameError, match="FILTER tells its three images apart"):
        plan_edit(path, [Change("FILTER", "V")])
    assert plan_edit(path, [Change("OBJECT", "M 31")]).done
