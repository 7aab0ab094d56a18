"""Figures and plot of guiding."""

from __future__ import annotations

import pytest

from firstlight.observe.guiding.step import GuideStep
from firstlight.observe.guiding.summary import Recent, draw_guiding, rms_of


def some(n: int = 60) -> list[GuideStep]:
    return [GuideStep(k, 2.5 * k, ra=0.3 * (-1) ** k, dec=0.4 * (-1) ** k, ra_pulse=0.1, n_stars=9) for k in range(n)]


def test_figures():
    rms = rms_of([*some(), GuideStep(60, 150.0, lost="clouds"), GuideStep(61, 152.5, ra=9.0, dithering=True)])
    assert (rms.ra, rms.dec, rms.total) == pytest.approx((0.3, 0.4, 0.5))
    assert (rms.n, rms.lost) == (60, 1)
    assert rms_of([]).n == 0


def test_running_figures_forget():
    recent = Recent()
    recent.add(GuideStep(0, 0.0, ra=50.0))
    for step in some(100):
        rms = recent.add(step)
    assert rms.n == 100
    assert rms.ra == pytest.approx(0.3)


def test_a_plot(tmp_path):
    steps = [*some(), GuideStep(60, 150.0, lost="clouds")]
    path = draw_guiding(steps, tmp_path / "guiding.png", scale=2.0)
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert draw_guiding([], tmp_path / "empty.png").exists()
