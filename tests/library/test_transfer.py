"""Masters of other programs in the library, and ours out of it."""

import numpy as np
import pytest

from calibration_frames import SHAPE, write_frames
from firstlight.errors import InputError
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.read import read
from firstlight.library.store import Library
from firstlight.library.transfer import Told, export_masters, import_master
from firstlight.model.flags import Flag, has
from firstlight.model.meta import Kind
from firstlight.pipeline.library_build import BuildSettings, build_library

CARDS = {"IMAGETYP": "Master Dark", "INSTRUME": "QHY600M", "EXPTIME": 300.0, "GAIN": 26, "CCD-TEMP": -10.0}


def foreign(path, level=520.0, noise=2.0, scale=1.0, **cards):
    pixels = np.random.default_rng(3).normal(level, noise, SHAPE).astype(np.float32) * np.float32(scale)
    pixels[10, 12] += 900 * scale
    given = [(k, v, "") for k, v in {**CARDS, **cards}.items() if v is not None]
    write_units(path, [Unit(given, pixels)], checksum=False)
    return path


def test_a_foreign_dark_is_taken_in_with_an_estimated_noise(tmp_path):
    library = Library(tmp_path / "library")
    source = foreign(tmp_path / "dark.fits")
    before = source.read_bytes()
    target = import_master(library, source, Told(holds_bias=True, frames=20))
    (entry,) = library.entries()
    assert entry.frame.path == target
    assert (entry.kind, entry.n_frames, entry.frame.meta.exposure) == (Kind.DARK, 20, 300.0)
    image = read(target)
    assert np.sqrt(image.variance[0, 0, 0]) == pytest.approx(2.0, rel=0.06)
    assert any("estimated from its pixels: an upper limit" in note for note in entry.record["notes"])
    assert has(image.flags, Flag.HOT)[0, 10, 12]
    assert source.read_bytes() == before
    assert "bias" not in image.meta.calibrated


def test_nobody_guesses_whether_a_dark_holds_its_bias(tmp_path):
    library = Library(tmp_path / "library")
    source = foreign(tmp_path / "dark.fits")
    with pytest.raises(InputError, match="--holds-bias or --bias-free"):
        import_master(library, source)
    assert library.entries() == []
    write_frames(tmp_path / "raw", "bias", 6)
    build_library(library, [tmp_path / "raw"], BuildSettings(threads=1, memory=100))
    assert "bias" not in read(import_master(library, source)).meta.calibrated
    bare = foreign(tmp_path / "bare.fits", level=20.0)
    assert "bias" in read(import_master(library, bare)).meta.calibrated


def test_the_header_decides_where_it_speaks(tmp_path):
    library = Library(tmp_path / "library")
    assert "bias" in read(import_master(library, foreign(tmp_path / "a.fits", CALSTAT="B"))).meta.calibrated


@pytest.mark.parametrize(
    ("cards", "told", "words"),
    [
        ({"INSTRUME": None}, {}, "--camera NAME"),
        ({"EXPTIME": None}, {}, "--exposure SECONDS"),
        ({"IMAGETYP": "Light Frame"}, {}, "--kind dark"),
        ({}, {"exposure": 60.0}, "you say 60"),
    ],
)
def test_what_must_be_known_is_asked_for(tmp_path, cards, told, words):
    with pytest.raises(InputError, match=words):
        import_master(Library(tmp_path / "l"), foreign(tmp_path / "d.fits", **cards), Told(holds_bias=True, **told))


def test_pixels_from_0_to_1_become_adu(tmp_path):
    source = foreign(tmp_path / "b.fits", scale=1 / 65535, IMAGETYP="Master Bias")
    image = read(import_master(Library(tmp_path / "l"), source))
    assert np.median(image.data) == pytest.approx(520, abs=1)


def test_a_foreign_flat_has_mean_one(tmp_path):
    source = foreign(tmp_path / "f.fits", level=21000, noise=100, IMAGETYP="Master Flat", FILTER="R")
    image = read(import_master(Library(tmp_path / "l"), source))
    assert np.mean(image.data, dtype=np.float64) == pytest.approx(1, abs=1e-6)
    assert np.sqrt(image.variance[0, 0, 0]) == pytest.approx(100 / 21000, rel=0.06)


def test_export_copies_whole_files_and_overwrites_none(tmp_path):
    library = Library(tmp_path / "library")
    import_master(library, foreign(tmp_path / "dark.fits"), Told(holds_bias=True))
    (written,) = export_masters(library.entries(), tmp_path / "out")
    assert written.read_bytes() == library.entries()[0].frame.path.read_bytes()
    with pytest.raises(InputError, match="exists already"):
        export_masters(library.entries(), tmp_path / "out")
