"""``firstlight resample`` and ``cutout`` as a user runs them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from firstlight.cli.main import run
from firstlight.io.read import read
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.align.sky_target import SkyGrid, positions_of, scale_of

SKY = (83.8, -5.4)


@pytest.fixture
def panels(tmp_path):
    """Three overlapping images of other scale, angle and exposure, with one star each."""
    folder = tmp_path / "in"
    folder.mkdir()
    for k, (dx, scale, angle, seconds) in enumerate(
        [(0.0, 2.0, 0.0, 60.0), (0.02, 2.0, 40.0, 30.0), (0.0, 3.0, 5.0, 120.0)]
    ):
        grid = SkyGrid.around(SKY[0] + dx, SKY[1], scale, (90, 70), angle)
        ((x, y),) = positions_of(grid.plate, np.array([SKY]))
        yy, xx = np.mgrid[:70, :90]
        sigma = 5.0 / scale
        data = seconds * (10.0 + 40.0 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * sigma**2)))
        meta = Meta(exposure=seconds)
        write(folder / f"p{k}.fits", Image(data, variance=data / 2, plate=grid.plate, meta=meta))
    return folder


def test_images_lie_on_one_grid_with_their_maps(panels, tmp_path, capsys):
    out = tmp_path / "out"
    code = run(
        ["resample", *map(str, sorted(panels.glob("*.fits"))), "-o", str(out), "--framing", "union", "--per-second"]
    )
    assert code == 0
    images = [read(path) for path in sorted(out.glob("*.fits"))]
    assert len({image.shape for image in images}) == 1
    for image, seconds in zip(images, (60.0, 30.0, 120.0)):
        ((x, y),) = positions_of(image.plate, np.array([SKY]))
        near = image.data[0, int(y) - 2 : int(y) + 4, int(x) - 2 : int(x) + 4]
        assert near.max() == pytest.approx(50.0, rel=0.05)
        with fits.open(out / "p0.fits") as units:
            assert {"VAR", "DQ", "COVERAGE", "EXPOSURE", "WEIGHT"} <= {unit.name for unit in units}
        assert image.meta.exposure == seconds
    with fits.open(out / "p1.fits") as units:
        covered = units["COVERAGE"].data.squeeze()
        assert set(np.unique(units["EXPOSURE"].data)) == {0.0, 30.0}
        assert 0.1 < covered.mean() < 0.9


def test_a_grid_of_its_own(panels, tmp_path):
    place = ["--ra", "83.8", "--dec", "-5.4", "--scale", "1.5", "--width", "64", "--height", "50"]
    argv = ["resample", str(panels / "p0.fits"), "-o", str(tmp_path / "o"), *place]
    assert run(argv) == 0
    image = read(tmp_path / "o" / "p0.fits")
    assert image.shape == (1, 50, 64)
    assert scale_of(image.plate) == pytest.approx(1.5)
    assert image.meta.bottom_up


def test_images_without_a_plate_or_place_are_told(panels, tmp_path, capsys):
    write(panels / "bare.fits", Image(np.ones((9, 9))))
    far = SkyGrid.around(200.0, 50.0, 2.0, (40, 40)).plate
    write(panels / "far.fits", Image(np.ones((40, 40)), plate=far))
    names = [str(panels / name) for name in ("p0.fits", "bare.fits", "far.fits")]
    assert run(["resample", *names, "-o", str(tmp_path / "o")]) == 1
    said = capsys.readouterr()
    assert "bare.fits: no plate; solve it first" in said.err
    assert "far.fits" in said.err
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["p0.fits"]
    assert run(["resample", str(panels / "p0.fits"), "-o", str(panels)]) == 2
    assert run(["resample", str(panels / "no.fits"), "-o", str(tmp_path / "o")]) == 2
    assert run(["resample", str(panels / "bare.fits"), "-o", str(tmp_path / "o")]) == 2


def test_earlier_results_stay_unless_told(panels, tmp_path, capsys):
    argv = ["resample", str(panels / "p0.fits"), str(panels / "p1.fits"), "-o", str(tmp_path / "o")]
    assert run(argv) == 0
    (tmp_path / "o" / "p1.fits").write_text("precious")
    (tmp_path / "o" / "p0.fits").unlink()
    assert run(argv) == 2
    assert "p1.fits: exists already; give another folder, or --overwrite" in capsys.readouterr().err
    assert (tmp_path / "o" / "p1.fits").read_text() == "precious"
    assert run([*argv, "--overwrite"]) == 0
    assert read(tmp_path / "o" / "p1.fits").plate


def test_cutout(panels, tmp_path, capsys):
    argv = ["cutout", str(panels / "p0.fits"), str(tmp_path / "c.fits"), "--ra", "83.8", "--dec", "-5.4", "--size"]
    assert run([*argv, "1,0.6"]) == 0
    part = read(tmp_path / "c.fits")
    assert part.shape == (1, 19, 31)
    assert part.data.max() == read(panels / "p0.fits").data.max()
    written = ["cutout", str(panels / "p0.fits"), str(tmp_path / "e.fits"), "--ra", "5:35:12", "--dec", "-5:24:00"]
    assert run([*written, "--size", "1,0.6"]) == 0
    np.testing.assert_array_equal(read(tmp_path / "e.fits").data, part.data)
    assert run([*written[:3], "--target", "M42", "--size", "1", "--overwrite"]) == 0
    assert run([*written[:3], "--size", "1", "--overwrite"]) == 2
    assert run([*written[:5], "--size", "1", "--overwrite"]) == 2
    assert run([*argv, "1"]) == 2
    assert run([*argv, "wide", "--overwrite"]) == 2
    away = ["cutout", str(panels / "p0.fits"), str(tmp_path / "d.fits"), "--ra", "90", "--dec", "-5.4", "--size", "1"]
    assert run(away) == 2
    assert "the image has 90 x 70 px" in capsys.readouterr().err
