"""Midtones autostretch against its formula, against Siril, and at its limits."""

import shutil
import subprocess

import numpy as np
import pytest

from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.ops.stretch.levels import normalised
from firstlight.ops.stretch.midtones import Levels, Midtones, curve, inverse, levels, midtones, mtf

RNG = np.random.default_rng(4)


def sky(channels=1, level=0.02, sigma=0.002, size=200):
    data = RNG.normal(level, sigma, (channels, size, size)) + np.arange(channels)[:, None, None] * 0.01
    data[:, 50:60, 50:60] = 0.7
    return Image(data, unit=PixelUnit.NORMALISED)


def test_parameters_are_those_of_the_formula():
    image = sky()
    x = image.data[0].astype(float)
    median = np.median(x)
    c0 = median - 2.8 * 1.4826 * np.median(np.abs(x - median))
    d = median - c0
    m = ((0.25 - 1) * d) / ((2 * 0.25 - 1) * d - 0.25)
    (q,) = levels(image, Midtones())
    assert q.shadows == pytest.approx(c0, abs=1e-7)
    assert q.midtone == pytest.approx(m, abs=1e-6)


def test_linked_takes_means_over_the_channels():
    image = sky(3)
    each = levels(image, Midtones(linked=False))
    linked = levels(image, Midtones())
    assert len({q.shadows for q in linked}) == 1
    assert linked[0].shadows == pytest.approx(np.mean([q.shadows for q in each]), abs=1e-6)
    medians = np.median(midtones(image, Midtones(linked=False)).data, axis=(1, 2))
    np.testing.assert_allclose(medians, 0.25, atol=0.015)


def test_a_bright_image_is_stretched_as_the_negative_of_its_negative():
    image = sky()
    negative = image.replace(data=1 - image.data)
    np.testing.assert_allclose(midtones(negative, Midtones()).data, 1 - midtones(image, Midtones()).data, atol=1e-4)


@pytest.mark.parametrize("q", [Levels(0.0, 0.01, 1.0), Levels(0.1, 0.3, 1.0), Levels(-0.05, 0.7, 0.9)], ids=str)
def test_monotone_and_invertible(q):
    x = np.linspace(q.shadows, q.highlights, 3001)
    y = curve(x, q)
    assert np.all(np.diff(y) > 0)
    np.testing.assert_allclose(inverse(y, q), x, atol=1e-6)
    assert mtf(np.float64(q.midtone), q.midtone) == pytest.approx(0.5)


def test_white_is_the_saturation_level():
    image = Image(sky().data * 1000, meta=Meta(saturation=4000.0))
    assert float(normalised(image).data.max()) == pytest.approx(0.7 * 1000 / 4000)
    assert float(normalised(image.replace(meta=Meta())).data.max()) == pytest.approx(1.0)


def test_sky_about_zero_is_not_a_step():
    image = sky(level=0.0)
    y = midtones(image, Midtones()).data[0]
    assert 0.2 < float(np.median(y)) < 0.3
    assert np.mean((y <= 0) | (y >= 1)) < 0.01


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_flat_images_come_through(value):
    y = midtones(Image(np.full((3, 8, 8), value)), Midtones()).data
    assert np.all(np.isfinite(y))
    assert np.ptp(y) == 0


def test_flagged_pixels_do_not_steer():
    image = sky()
    data, flags = image.data.copy(), image.flags.copy()
    data[0, :90], flags[0, :90] = 0.9, Flag.SATURATED
    spoilt = image.replace(data=data, flags=flags)
    good = Image(image.data[:, 90:], unit=PixelUnit.NORMALISED)
    assert levels(spoilt, Midtones()) == levels(good, Midtones())


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("siril-cli"), reason="siril-cli is not installed (make system)")
def test_the_curve_is_that_of_siril(tmp_path):
    from astropy.io import fits

    image = sky(size=300)
    (q,) = levels(image, Midtones())
    fits.writeto(tmp_path / "in.fit", image.data[0])
    (tmp_path / "run.ssf").write_text(
        f"requires 1.0.0\nset32bits\nload in\nmtf {q.shadows:.9f} {q.midtone:.9f} {q.highlights}\nsave out\n"
    )
    done = subprocess.run(
        ["siril-cli", "-d", str(tmp_path), "-s", str(tmp_path / "run.ssf")], capture_output=True, text=True, check=False
    )
    if not (tmp_path / "out.fit").exists():
        pytest.skip(f"siril-cli did not run here: {done.stdout[-200:]}")
    np.testing.assert_allclose(midtones(image, Midtones()).data[0], fits.getdata(tmp_path / "out.fit"), atol=1e-5)


def siril_says(folder, planes, linked):
    """Shadows and midtone of each channel by Siril: of its own autostretch, or, in versions whose scripts have none,
    the formula of its autostretch with the median and the deviation that Siril measures."""
    from astropy.io import fits

    for number, plane in enumerate(planes, 1):
        fits.writeto(folder / f"in_{number:05d}.fit", plane, overwrite=True)
    # As many files as a sequence needs.
    fits.writeto(folder / f"in_{len(planes) + 1:05d}.fit", planes[-1], overwrite=True)
    done = siril(folder, "seqstat in_ stat.csv main")
    if not (folder / "stat.csv").exists():
        pytest.skip(f"siril-cli did not run here: {done.stdout[-200:]}")
    names, *rows = [line.split("\t") for line in (folder / "stat.csv").read_text().splitlines()]
    median, mad = (np.array([float(row[names.index(n)]) for row in rows[: len(planes)]]) for n in ("median", "mad"))
    if linked:
        median, mad = (np.full(len(planes), each.mean()) for each in (median, mad))
    shadows = np.maximum(median - 2.8 * 1.4826 * mad, 0)
    by_formula = np.column_stack([shadows, mtf(median - shadows, 0.25)])
    fits.writeto(folder / "all.fit", planes if len(planes) > 1 else planes[0])
    siril(folder, f"load all\nautostretch{' -linked' if linked else ''}\nsave out")
    if (folder / "out.fit").exists():
        shown = fits.getdata(folder / "out.fit").reshape(planes.shape)
        for x, y, (low, m) in zip(planes, shown, by_formula):
            np.testing.assert_allclose(mtf(np.clip((x - low) / (1 - low), 0, 1), m), y, atol=2e-3)
    return by_formula


def siril(folder, commands):
    (folder / "run.ssf").write_text(f"requires 1.0.0\nset32bits\n{commands}\n")
    return subprocess.run(
        ["siril-cli", "-d", str(folder), "-s", str(folder / "run.ssf")], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(not shutil.which("siril-cli"), reason="siril-cli is not installed (make system)")
@pytest.mark.parametrize(("channels", "linked"), [(1, False), (3, False), (3, True)])
def test_parameters_equal_those_of_siril(tmp_path, channels, linked):
    image = sky(channels, level=0.012, sigma=0.0015, size=300)
    ours = [(q.shadows, q.midtone) for q in levels(image, Midtones(linked=linked))]
    np.testing.assert_allclose(ours, siril_says(tmp_path, image.data, linked), rtol=0, atol=1e-4)


def test_large_images_are_measured_from_a_part_of_their_pixels(monkeypatch):
    import firstlight.ops.stretch.sample as module

    image = sky(size=600)
    (whole,) = levels(image, Midtones())
    monkeypatch.setattr(module, "MANY", 40_000)
    (part,) = levels(image, Midtones())
    assert part != whole
    # A sample of 40,000 tells the median to 0.006 of the noise.
    assert part.shadows == pytest.approx(whole.shadows, abs=0.05 * 0.002)
