"""Pulses that make it worse end guiding; nothing else does."""

from __future__ import annotations

import numpy as np

from firstlight.observe.guiding.runaway import Runaway


def test_noise_drift_and_dithers_are_no_runaway():
    rng = np.random.default_rng(1)
    runaway = Runaway(4.0)
    assert not any(runaway.sees(abs(d), pulsed=True) for d in rng.standard_normal(3000))
    assert not any(runaway.sees(0.3 * k, pulsed=False) for k in range(100))
    assert not any(runaway.sees(20.0 * 0.7**k, pulsed=True) for k in range(40))


def test_play_that_is_taken_up_while_the_star_drifts_is_none():
    runaway = Runaway(4.0)
    assert not any(runaway.sees(6.0 + 0.1 * k, pulsed=True) for k in range(20))


def test_a_dither_begins_anew():
    runaway = Runaway(4.0)
    assert not any(runaway.sees(0.1 * k, pulsed=True) for k in range(6))
    runaway.forget()
    assert not runaway.sees(20.0, pulsed=True)
