"""The Astromatic chain on a simulated frame under real stars, whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.errors import FrameError, InputError
from firstlight.io.astromatic import PROGRAMS, Bench
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.model.plate import Plate
from firstlight.pipeline.astromatic import Chain, prepare, run_chain, run_swarp
from firstlight.simulate.geometry import plate_cards, sky_of, undistort
from firstlight.simulate.night import Camera, Night, Scene, Sky, Telescope

MISSING = [name for name, program in PROGRAMS.items() if program.find() is None]
needs_programs = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (make system)")

NIGHT = Night(
    catalog="gaia", ra=92.3, dec=24.3, n_lights=1, n_darks=0, n_bias=0, n_flats=0, trails=0, cosmic_rays=0, dither=0,
    camera=Camera(width=900, height=700, hot_fraction=0, cold_fraction=0, amp_glow=0, dark_current=0),
    telescope=Telescope(focal_length=60, aperture=20, distortion=0.004, vignetting=0, dust=0),
    sky=Sky(seeing=30, stars_per_mpx=300, gradient=0.05),
)  # fmt: skip


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    """A frame whose plate is off by a few arcmin and knows nothing of the distortion."""
    scene = Scene(NIGHT)
    (shot,) = scene.frames
    cards = dict(plate_cards(NIGHT))
    cards["CRVAL1"] += 0.03
    cards["CRVAL2"] -= 0.02
    meta = Meta(
        kind=Kind.LIGHT, exposure=shot.exposure, gain=NIGHT.camera.gain, saturation=NIGHT.camera.saturation,
        start=NIGHT.start,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("astromatic") / "light one.fits"
    return write(path, Image(scene.expose(shot).astype(np.float32), plate=Plate(cards), meta=meta))


def misplaced(plate: Plate) -> float:
    """Largest distance (px) between where the plate has places on the sky and where they are."""
    from astropy.wcs import WCS

    grid = np.stack(np.meshgrid(np.linspace(30, 870, 7), np.linspace(30, 670, 7)), -1).reshape(-1, 2)
    ideal = undistort(grid, NIGHT.shape, NIGHT.telescope.distortion)
    x, y = WCS(dict(plate.cards)).all_world2pix(*sky_of(NIGHT, ideal), 0)
    return float(np.hypot(x - grid[:, 0], y - grid[:, 1]).max())


@pytest.mark.slow
@needs_programs
def test_the_chain_finds_place_and_distortion(frame, tmp_path):
    before = read(frame)
    done = run_chain(frame, tmp_path / "out", Chain(position_error=3, angle_error=1, catalog="gaia"), keep=True)
    solved = read(tmp_path / "out" / "light one.fits")
    assert np.array_equal(solved.data, before.data)
    assert solved.plate.cards["CTYPE1"] == "RA---TPV"
    assert misplaced(before.plate) > 1.0
    assert misplaced(solved.plate) < 0.1
    assert done.solution.matched > 100
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "light one.cat", "light one.fits", "light one.psf", "light one.psf.cat"
    ]  # fmt: skip
    image, weight = run_swarp([tmp_path / "out" / "light one.fits"], tmp_path / "swarped.fits")
    assert misplaced(read(image).plate) > 0.5  # SWarp's grid is undistorted
    assert np.isfinite(read(image).data[read(image).good]).all()
    assert read(weight).data.max() > 0


@needs_programs
def test_steps_alone_say_what_they_need(frame, tmp_path, capsys):
    assert run(["astromatic", "psfex", str(frame), "-o", str(tmp_path)]) == 2
    assert "run the step sex first" in capsys.readouterr().err
    assert run(["astromatic", "sex", str(frame), "-o", str(tmp_path)]) == 0
    assert run(["astromatic", "psfex", str(frame), "-o", str(tmp_path)]) == 0
    assert (tmp_path / "light one.psf").exists()


@pytest.mark.slow
@needs_programs
def test_a_match_that_does_not_stand_out_writes_nothing(frame, tmp_path, capsys):
    far = read(frame)
    moved = Plate({**far.plate.cards, "CRVAL1": 10.0})
    path = write(tmp_path / "far.fits", far.replace(plate=moved))
    quick = ["--catalog", "gaia", "--position-error", "1", "--angle-error", "1", "--scale-error", "1.02"]
    code = run(["astromatic", "all", str(path), "-o", str(tmp_path / "out"), *quick])
    assert code == 1
    assert "failed" in capsys.readouterr().err
    assert not (tmp_path / "out" / "far.fits").exists()


@needs_programs
def test_configuration_of_the_user_takes_the_place_of_ours(frame, tmp_path):
    few, many = tmp_path / "few.sex", tmp_path / "many.sex"
    few.write_text("DETECT_THRESH 3000\nANALYSIS_THRESH 3000\nFILTER N\n")
    many.write_text("DETECT_THRESH 2\nANALYSIS_THRESH 2\nFILTER N\n")
    counts = [
        run_chain(frame, tmp_path / name.stem, Chain(), steps=("sex",), configs={"sex": name}).stars
        for name in (few, many)
    ]
    assert counts[0] < counts[1] / 5
    with pytest.raises(InputError, match="no such configuration file"):
        run_chain(frame, tmp_path, Chain(), steps=("sex",), configs={"sex": tmp_path / "not.sex"})


@needs_programs
def test_a_program_that_fails_is_quoted(tmp_path):
    bench = Bench(tmp_path)
    with pytest.raises(FrameError, match="source-extractor failed"):
        bench.run("sex", [str(tmp_path / "nothing.fits")], {}, tmp_path / "x.cat")


def test_missing_pixels_get_no_weight_and_mosaics_are_refused():
    data = np.ones((1, 8, 8), np.float32)
    data[0, 2, 3] = np.nan
    plane, weight = prepare(Image(data))
    assert plane[2, 3] == 1.0
    assert weight[2, 3] == 0.0
    assert weight.sum() == 63
    with pytest.raises(InputError, match="debayer"):
        prepare(Image(data, meta=Meta(cfa="RGGB")))
