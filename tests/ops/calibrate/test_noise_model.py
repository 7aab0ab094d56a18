"""The noise that a calibrated frame claims is the noise it has (A2)."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Kind, Meta
from firstlight.ops.chain import apply
from firstlight.ops.spec import parse_step

READ, BIAS, SHAPE = 6.0, 700.0, (300, 400)
GAINS = {None: (1.6, 1.6), "left and right": (1.4, 1.9)}
"""e-/adu of the halves, each read by an amplifier of its own."""


@pytest.mark.parametrize("amplifiers", GAINS)
@pytest.mark.parametrize("frames", [9, 30])
def test_scatter_about_the_truth_over_the_claim(amplifiers, frames):
    """Between 0.98 and 1.02 for each amplifier: light, master dark and master flat all have their noise."""
    rng = np.random.default_rng(frames)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    sky = 150 + 0.5 * x + 2500 * np.exp(-((x - 200) ** 2 + (y - 150) ** 2) / (2 * 40**2))
    flat = 1 - 0.3 * np.hypot(x - 200, y - 150) / 250
    thermal = np.abs(rng.normal(30, 8, SHAPE))
    gains = GAINS[amplifiers]
    gain = np.where(x < SHAPE[1] // 2, *gains)

    def shoot(light):
        return (rng.poisson(light) + rng.normal(0, READ, SHAPE)) / gain + BIAS

    darks = np.stack([shoot(thermal) for _ in range(frames)])
    flats = np.stack([shoot(20000 * flat) - BIAS for _ in range(frames)])
    dark = Image(darks.mean(axis=0), variance=darks.var(axis=0, ddof=1) / frames, meta=Meta(kind=Kind.MASTER_DARK))
    master = Image(
        flats.mean(axis=0) * gain / 20000, variance=flats.var(axis=0, ddof=1) / frames * (gain / 20000) ** 2,
        unit=PixelUnit.NORMALISED, meta=Meta(kind=Kind.MASTER_FLAT),
    )  # fmt: skip
    raw = shoot(sky * flat + thermal)
    for number, half in enumerate((np.s_[:, : SHAPE[1] // 2], np.s_[:, SHAPE[1] // 2 :])):

        def part(image, half=half):
            cut = (slice(None), *half)
            return Image(image.data[cut], variance=image.variance[cut], unit=image.unit, meta=image.meta)

        light = apply(Image(raw[half]), f"cal:noisemodel:gain={gains[number]},read_noise={READ},bias={BIAS}")
        light = parse_step("cal:subtractdark")(light, part(dark))
        light = parse_step("cal:divideflat")(light, part(master))
        pull = (light.data[0] - (sky / gain)[half]) / np.sqrt(light.variance[0])
        assert np.std(pull) == pytest.approx(1, abs=0.02)
        assert np.sqrt(np.mean((light.data[0] - (sky / gain)[half]) ** 2) / np.mean(light.variance)) == pytest.approx(
            1, abs=0.02
        )
