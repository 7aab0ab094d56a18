"""FITS files that are cut, damaged or odd; astropy writes them, this reads them."""

from __future__ import annotations

import gzip
import lzma

import numpy as np
import pytest
from astropy.io import fits

from firstlight.errors import FrameError
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.read import open_frame, read
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.pipeline.picture import write_colours

PIXELS = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50) + 30000


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.fits"
    header = fits.Header([("OBJECT", "M 1")] + [(f"KEY{n}", n) for n in range(60)])
    fits.PrimaryHDU(PIXELS, header).writeto(path)
    return path


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])
    return path


@pytest.mark.parametrize("size", [0, 79, 80, 1000, 2880, 5759])
def test_cut_within_the_header(plain, size):
    with pytest.raises(FrameError, match=r"^plain.fits: .*(empty|no END|not a FITS|cut short)"):
        read(cut(plain, size))


@pytest.mark.parametrize("size", [5760, 5761, 8000, 5760 + 3999])
def test_cut_within_the_pixels(plain, size):
    with pytest.raises(FrameError, match=f"^plain.fits: cut short: {5760 + 4000 - size} of 4000 bytes"):
        open_frame(cut(plain, size))


@pytest.mark.parametrize("size", [5760 + 4000, 5760 + 4001, 5760 + 5759])
def test_cut_within_the_padding_is_accepted_with_a_note(plain, size):
    frame = open_frame(cut(plain, size))
    assert any("padding" in note for note in frame.meta.notes)
    np.testing.assert_array_equal(frame.read().data[0], PIXELS)


def test_a_whole_file_has_no_note(plain):
    assert open_frame(plain).meta.notes == ()


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gzip", "xz"])
def test_packed_and_cut(plain, tmp_path, pack):
    packed = tmp_path / ("a.fits.gz" if pack is gzip.compress else "a.fits.xz")
    packed.write_bytes(pack(plain.read_bytes()))
    np.testing.assert_array_equal(read(packed).data[0], PIXELS)
    with pytest.raises(FrameError, match="cut short"):
        open_frame(cut(packed, packed.stat().st_size - 20))


def test_a_compressed_image_cut(tmp_path):
    path = tmp_path / "c.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(PIXELS)]).writeto(path)
    np.testing.assert_array_equal(read(path).data[0], PIXELS)
    with pytest.raises(FrameError, match="cut short"):
        open_frame(cut(path, path.stat().st_size - 2880))


@pytest.mark.parametrize("compressed", [False, True])
def test_one_flipped_bit_is_found_by_the_checksum(tmp_path, compressed):
    path = tmp_path / "sum.fits"
    kind = fits.CompImageHDU if compressed else fits.ImageHDU
    fits.HDUList([fits.PrimaryHDU(), kind(PIXELS)]).writeto(path, checksum=True)
    np.testing.assert_array_equal(read(path).data[0], PIXELS)
    content = bytearray(path.read_bytes())
    with fits.open(path, disable_image_compression=True) as units:
        start = units[1].fileinfo()["datLoc"]
    content[start + 20] ^= 4
    path.write_bytes(content)
    with pytest.raises(FrameError, match="DATASUM"):
        read(path)
    with pytest.raises(FrameError, match="DATASUM"):
        open_frame(path).check()


def test_old_sums_of_an_edited_file_are_no_damage(tmp_path):
    path = tmp_path / "edited.fits"
    fits.PrimaryHDU(PIXELS).writeto(path, checksum=True)
    with fits.open(path) as units:
        header = units[0].header.copy()
    sums = {key: header[key] for key in ("CHECKSUM", "DATASUM")}
    # Another program cropped the frame and kept the header as it was.
    fits.PrimaryHDU(PIXELS[:20]).writeto(path, overwrite=True)
    with fits.open(path, mode="update") as units:
        units[0].header.update(sums)
    np.testing.assert_array_equal(read(path).data[0], PIXELS[:20])


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4"])
def test_every_pixel_type(tmp_path, dtype):
    path = tmp_path / "t.fits"
    pixels = (np.arange(600).reshape(20, 30) % 200).astype(dtype)
    fits.PrimaryHDU(pixels).writeto(path)
    frame = open_frame(path)
    np.testing.assert_array_equal(frame.read().data[0], pixels)
    assert frame.seekable
    assert frame.dtype == frame.rows(0, 1).dtype


def test_unsigned_16_bit_is_left_to_the_kernels(plain):
    frame = open_frame(plain)
    assert (frame.dtype, frame.zero, frame.scale) == (np.dtype(">i2"), 32768.0, 1.0)
    assert not frame.rows(0, 40).flags.writeable


def test_scaled_integers(tmp_path):
    path = tmp_path / "s.fits"
    unit = fits.PrimaryHDU(np.array([[1, -2], [300, 4]], np.int16))
    unit.header["BSCALE"], unit.header["BZERO"] = 0.25, 100.5
    unit.writeto(path)
    np.testing.assert_array_equal(read(path).data[0], [[100.75, 100.0], [175.5, 101.5]])


def test_blank_pixels_hold_no_number(tmp_path):
    path = tmp_path / "b.fits"
    unit = fits.PrimaryHDU(np.array([[1, -99], [0, 4]], np.int16))
    unit.header["BLANK"] = -99
    unit.writeto(path)
    image = read(path)
    np.testing.assert_array_equal(image.flags[0], [[0, Flag.NOT_FINITE], [0, 0]])
    assert image.data[0, 1, 0] == 0


@pytest.mark.parametrize(
    ("value", "maker", "added"), [(-100, "", -100), (100, "", 100), (100, "PixInsight 1.8", -100), (0, "", 0)]
)
def test_the_pedestal_is_applied_once(tmp_path, value, maker, added):
    path = tmp_path / "p.fits"
    write_raw_fits(path, PIXELS, [("PEDESTAL", value, ""), ("CREATOR", maker, "")])
    frame = open_frame(path)
    assert frame.zero == 32768 + added
    assert frame.meta.pedestal is None
    assert frame.meta.saturation == 65535 + added
    np.testing.assert_array_equal(frame.read().data[0], PIXELS.astype(np.float32) + added)


def test_primary_keywords_are_inherited(tmp_path):
    path = tmp_path / "mef.fits"
    primary = fits.PrimaryHDU(header=fits.Header([("EXPTIME", 12.5), ("GAIN", 1.5)]))
    fits.HDUList([primary, fits.ImageHDU(PIXELS, fits.Header([("GAIN", 2.5)])), fits.ImageHDU(PIXELS[:9])]).writeto(
        path
    )
    frame = open_frame(path)
    assert (frame.meta.exposure, frame.meta.gain) == (12.5, 2.5)
    assert any("2 images, some of other sizes" in note for note in frame.meta.notes)


def three(path, names, *, key="EXTNAME", shapes=None, kind=fits.ImageHDU, more=()):
    """A file of images with these names; the first holds 1 + x, the next 2 + x ..."""
    units = []
    for k, name in enumerate(names):
        shape = (shapes or [(6, 9)] * 9)[k]
        data = (k + 1.0 + np.zeros(shape)).astype(np.float32)
        units.append(kind(data, fits.Header([(key, name), ("OBJECT", f"{name} field")])))
    fits.HDUList([fits.PrimaryHDU(header=fits.Header([("EXPTIME", 12.5)])), *units, *more]).writeto(path)
    return path


@pytest.mark.parametrize("kind", [fits.ImageHDU, fits.CompImageHDU])
@pytest.mark.parametrize(
    ("names", "key", "order"),
    [
        (("RED", "GREEN", "BLUE"), "EXTNAME", (1, 2, 3)),
        (("Blue", "Red", "Green"), "FILTER", (2, 3, 1)),
        (("G", "B", "R"), "EXTNAME", (3, 1, 2)),
    ],
)
def test_three_images_named_by_colours_are_one(tmp_path, kind, names, key, order):
    frame = open_frame(three(tmp_path / "rgb.fits", names, key=key, kind=kind))
    assert frame.shape == (3, 6, 9)
    assert frame.meta.exposure == 12.5
    assert frame.meta.filter == (None if key == "EXTNAME" else "Red+Green+Blue")
    assert any("taken as one in colour" in note for note in frame.meta.notes)
    image = frame.read()
    assert image.data[:, 2, 3].tolist() == list(order)
    assert frame.rows(2, 4).shape == (3, 2, 9)
    if kind is fits.CompImageHDU:
        assert frame.pieces(2, 4) is None
    else:
        raw = frame.path.read_bytes()
        first = [np.frombuffer(raw, frame.dtype, 1, piece.offset)[0] for piece in frame.pieces(2, 4)]
        assert first == list(order)


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (("RED", "GREEN"), {}),
        (("RED", "GREEN", "GREEN"), {}),
        (("RED", "GREEN", "OTHER"), {}),
        (("RED", "GREEN", "BLUE", "LUM"), {}),
        (("RED", "GREEN", "BLUE"), {"shapes": [(6, 9), (6, 9), (6, 8)]}),
        (("RED", "GREEN", "BLUE"), {"shapes": [(3, 6, 9)] * 3}),
    ],
)
def test_other_images_of_a_file_are_not_taken_for_colours(tmp_path, names, more):
    frame = open_frame(three(tmp_path / "mef.fits", names, **more))
    assert not any("taken as one" in note for note in frame.meta.notes)
    assert frame.read().data.max() == 1


def test_a_colour_that_is_cut_short_is_named(tmp_path):
    path = three(tmp_path / "rgb.fits", ("RED", "GREEN", "BLUE"), shapes=[(600, 9)] * 3)
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(FrameError, match="cut short"):
        open_frame(path)


def test_what_is_written_for_ds9_is_read_as_it_was(tmp_path):
    image = Image(np.random.default_rng(2).random((3, 8, 11)).astype(np.float32))
    write_colours(tmp_path / "ds9.fits", image)
    np.testing.assert_array_equal(open_frame(tmp_path / "ds9.fits").read().data, image.data)


def test_mask_and_variance_of_another_program(tmp_path):
    path = tmp_path / "lco.fits"
    mask = np.zeros(PIXELS.shape, np.uint8)
    mask[3, 4] = 8
    units = [
        fits.PrimaryHDU(),
        fits.ImageHDU(PIXELS.astype(np.float32), name="SCI"),
        fits.ImageHDU(mask, name="BPM"),
        fits.ImageHDU(np.full(PIXELS.shape, 2.5, np.float32), name="VAR"),
    ]
    fits.HDUList(units).writeto(path)
    image = read(path)
    expected = np.zeros(PIXELS.shape, np.uint16)
    expected[3, 4] = Flag.NO_DATA
    np.testing.assert_array_equal(image.flags[0], expected)
    assert image.variance is not None
    assert (image.variance == 2.5).all()


def test_standard_deviations_become_variance(tmp_path):
    from astropy.nddata import CCDData, StdDevUncertainty, VarianceUncertainty

    for kind, expected in ((StdDevUncertainty, 9.0), (VarianceUncertainty, 3.0)):
        data = CCDData(np.ones((4, 5)), unit="adu", uncertainty=kind(np.full((4, 5), 3.0)), mask=np.eye(4, 5) > 0)
        data.write(tmp_path / "c.fits", overwrite=True)
        image = read(tmp_path / "c.fits")
        assert image.variance is not None
        assert (image.variance == expected).all()
        assert ((image.flags[0] == Flag.NO_DATA) == (np.eye(4, 5) > 0)).all()


def test_colours_last(tmp_path):
    path = tmp_path / "rgb.fits"
    pixels = np.arange(20 * 30 * 3, dtype=np.int16).reshape(20, 30, 3)
    fits.PrimaryHDU(pixels).writeto(path)
    frame = open_frame(path)
    np.testing.assert_array_equal(frame.rows(5, 7), pixels.transpose(2, 0, 1)[:, 5:7])


def test_rows_of_a_cube(tmp_path):
    path = tmp_path / "cube.fits"
    pixels = np.random.default_rng(1).normal(size=(3, 20, 30)).astype(np.float32)
    fits.PrimaryHDU(pixels).writeto(path)
    np.testing.assert_array_equal(open_frame(path).rows(5, 9), pixels[:, 5:9])
    assert open_frame(path).rows(5, 5).shape == (3, 0, 30)


def test_a_frame_that_shrinks_after_it_was_opened(plain):
    frame = open_frame(plain)
    cut(plain, 6000)
    with pytest.raises(FrameError, match="moved or cut"):
        frame.rows(0, 40)
    plain.unlink()
    with pytest.raises(FrameError, match="moved or cut"):
        frame.rows(0, 4)


def test_unsigned_integers_of_64_bits(tmp_path):
    # 2^63 is added to what is stored: no float64 holds both it and the counts of a camera.
    values = np.arange(1000, 1012, dtype=np.uint64).reshape(3, 4)
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    assert fits.getheader(tmp_path / "a.fits")["BZERO"] == 2**63
    np.testing.assert_array_equal(read(tmp_path / "a.fits").data[0], values)
    frame = open_frame(tmp_path / "a.fits")
    np.testing.assert_array_equal(frame.rows(1, 2)[0] * frame.scale + frame.zero, values[1:2])


def test_a_gz_without_an_inner_ending(plain, tmp_path):
    (tmp_path / "plain.gz").write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(read(tmp_path / "plain.gz").data[0], PIXELS)


@pytest.mark.parametrize(("maker", "unit"), [("Siril v1.2.0", "normalised"), ("PixInsight 1.8.9", "normalised"),
                                             ("MaxIm DL", "adu")])  # fmt: skip
def test_floats_of_programs_that_keep_parts_of_one(tmp_path, maker, unit):
    header = fits.Header({"PROGRAM": maker, "EGAIN": 0.5})
    fits.writeto(tmp_path / "a.fits", np.linspace(0, 0.9, 64, dtype=np.float32).reshape(8, 8), header)
    frame = open_frame(tmp_path / "a.fits")
    assert frame.unit == unit
    assert (frame.meta.saturation, frame.meta.gain) == ((1.0, 0.5 * 65535) if unit == "normalised" else (None, 0.5))
    np.testing.assert_array_equal(frame.read().data[0], fits.getdata(tmp_path / "a.fits"))
    np.testing.assert_allclose(frame.in_adu().read().data, frame.read().data * (65535 if unit == "normalised" else 1))
