"""All scales and rounds in one sweep against one after the other."""

import numpy as np
import pytest

from firstlight.kernels.starlet import GARROTE, HARD, SOFT, clean_rows, removed_rows, smooth_rows


def plain(plane, sigma, thresholds, law):
    given = plane
    for row in thresholds:
        taken, fine = np.zeros_like(plane), given
        for scale, threshold in enumerate(row):
            coarse = np.empty_like(plane)
            smooth_rows(fine, 2**scale, 0, len(plane), coarse)
            removed_rows(fine, coarse, sigma, threshold, law, 0, len(plane), taken)
            fine = coarse
        given = taken
    return plane - given


@pytest.mark.parametrize("law", [SOFT, HARD, GARROTE])
@pytest.mark.parametrize(("rounds", "scales"), [(1, 1), (1, 5), (3, 4)])
@pytest.mark.parametrize("same", [True, False])
def test_a_sweep_is_what_its_scales_and_rounds_are(law, rounds, scales, same):
    rng = np.random.default_rng(1)
    plane = rng.normal(0, 4, (211, 90)).astype(np.float32)
    plane[100:104, 40:44] += 200
    sigma = np.full((1, 1), 4, np.float32) if same else rng.uniform(3, 5, plane.shape).astype(np.float32)
    thresholds = np.linspace(2.7, 0.1, rounds * scales, dtype=np.float32).reshape(rounds, scales)
    out = np.empty_like(plane)
    for first, last in ((0, 7), (7, 120), (120, 211)):
        clean_rows(plane, sigma, thresholds, law, first, last, out)
    np.testing.assert_allclose(out, plain(plane, sigma, thresholds, law), atol=1e-4)
