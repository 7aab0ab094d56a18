"""Continuum subtraction: the factor, what is left, variance and flags, images that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.io.read import read
from firstlight.io.write import read_provenance, write
from firstlight.model.flags import Flag
from firstlight.model.image import Image, State
from firstlight.model.meta import Meta
from firstlight.pipeline.continuum import ContinuumSettings, continuum
from star_field import expose, light_of, scattered

SHAPE, GAIN, FACTOR, N = (330, 330), 1.5, 0.12, 60
META = Meta(gain=GAIN, exposure=300.0, saturation=60000.0)


def scene(seed=1, spread=0.03, fwhm=(3.0, 3.0), shift=(0.0, 0.0)):
    """Narrowband and broadband image, and the light of the line."""
    rng = np.random.default_rng(seed)
    x, y = scattered(rng, N, SHAPE, 36.0, 20.0)
    light = 10 ** rng.uniform(3.8, 5.6, N)
    colours = FACTOR * np.exp(spread * rng.standard_normal(N))
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    line = 60 * np.exp(-((xx - 160) ** 2 + (yy - 170) ** 2) / (2 * 45**2))
    parts = []
    for stars, extra, width, (dx, dy), sky in (
        (light * colours, line, fwhm[0], (0, 0), 50.0), (light, 0, fwhm[1], shift, 300.0)
    ):  # fmt: skip
        electrons = light_of(SHAPE, x + dx, y + dy, stars, width) + extra
        plane = expose(electrons, rng, sky=sky, gain=GAIN, bias=0.0)
        variance = (electrons + sky) / GAIN**2 + (4 / GAIN) ** 2 + 1 / 12
        parts.append(Image(plane, variance=variance, meta=META))
    return parts[0], parts[1], line / GAIN


@pytest.fixture
def files(tmp_path):
    def make(**changes):
        narrow, broad, line = scene(**changes)
        return write(tmp_path / "n.fits", narrow), write(tmp_path / "b.fits", broad), line

    return make


def test_the_factor_and_its_error(files, tmp_path):
    pulls = []
    for seed in range(12):
        narrow, broad, _ = files(seed=seed)
        found = continuum(narrow, broad, tmp_path / "o.fits", ContinuumSettings(picture=False))
        pulls.append((found.factor - FACTOR) / found.factor_error)
        assert found.factor_error < 0.01 * FACTOR
        assert found.ratio.spread == pytest.approx(0.03, abs=0.015)
    assert abs(np.mean(pulls)) < 0.9
    assert 0.5 < np.std(pulls) < 1.6


def test_stars_go_and_the_line_stays(files, tmp_path):
    narrow, broad, line = files(spread=0.0)
    found = continuum(narrow, broad, tmp_path / "o.fits")
    image = read(found.path)
    assert found.left_over < 0.02
    rest = image.data[0] - line
    level = np.median(rest)
    # Within the claimed noise everywhere, stars included.
    pulls = (rest - level) / np.sqrt(image.variance[0])
    assert 0.95 < 1.4826 * np.median(np.abs(pulls)) < 1.05
    assert pulls.std() < 1.3
    assert found.path.with_suffix(".png").stat().st_size > 20_000
    assert read_provenance(found.path)["factor"] == found.factor
    assert "color:continuum" in image.history[-1]
    from astropy.io import fits

    assert fits.getdata(found.path, "RESIDUAL").shape[-2:] == SHAPE


def test_profiles_are_matched(files, tmp_path):
    narrow, broad, line = files(spread=0.0, fwhm=(2.6, 3.8))

    def worst(**changes):
        found = continuum(narrow, broad, tmp_path / "o.fits", ContinuumSettings(picture=False, **changes))
        return np.percentile(np.abs(found.image.data[0] - line - np.median(found.image.data[0] - line)), 99.5), found

    plain, _ = worst()
    matched, found = worst(match_psf=True)
    assert matched < 0.35 * plain
    assert "narrowband image was broadened" in found.matched
    assert found.factor == pytest.approx(FACTOR, rel=0.02)


def test_images_that_are_shifted_are_brought_together(files, tmp_path):
    narrow, broad, _ = files(shift=(3.4, -2.2))
    found = continuum(narrow, broad, tmp_path / "o.fits", ContinuumSettings(picture=False))
    assert "brought onto" in found.notes[0]
    assert found.factor == pytest.approx(FACTOR, rel=0.03)
    assert (found.image.flags & Flag.NO_DATA).any()


def test_flags_of_both_are_kept_and_flagged_stars_not_asked(files, tmp_path):
    narrow, broad, _ = files()
    image = read(broad)
    flags = image.flags.copy()
    flags[0, 100:110, 50:60] |= np.uint16(Flag.SATURATED)
    write(broad, image.replace(flags=flags))
    found = continuum(narrow, broad, tmp_path / "o.fits", ContinuumSettings(picture=False, align="none"))
    assert (found.image.flags[0, 100:110, 50:60] & Flag.SATURATED).all()


def test_a_given_factor_is_taken(files, tmp_path, capsys):
    narrow, broad, _ = files()
    assert run(["continuum", str(narrow), str(broad), "-o", str(tmp_path / "o.fits"), "--factor", "0.1", "-q"]) == 0
    out = capsys.readouterr().out
    assert "factor 0.1 +/- 0, as given" in out
    assert "the stars would say 0.1" in out


def test_what_does_not_fit_is_said(files, tmp_path):
    narrow, broad, _ = files()
    with pytest.raises(InputError, match="is an input"):
        continuum(narrow, broad, narrow)
    with pytest.raises(InputError, match=r"\.fits, \.fit, \.fts are allowed"):
        continuum(narrow, broad, tmp_path / "o.png")
    colour = write(tmp_path / "c.fits", Image(np.ones((3, *SHAPE))))
    with pytest.raises(InputError, match="3 channels"):
        continuum(narrow, colour, tmp_path / "o.fits")
    seen = write(tmp_path / "s.fits", Image(np.ones(SHAPE), state=State.STRETCHED))
    with pytest.raises(InputError, match="stretched"):
        continuum(seen, broad, tmp_path / "o.fits")
    empty = write(tmp_path / "e.fits", Image(np.random.default_rng(1).normal(100, 3, SHAPE), meta=META))
    with pytest.raises(InputError, match="--factor"):
        continuum(write(tmp_path / "e1.fits", read(empty)), empty, tmp_path / "o.fits")
    assert not (tmp_path / "o.fits").exists()
