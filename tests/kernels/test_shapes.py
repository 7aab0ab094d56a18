import numpy as np
import pytest

from firstlight.kernels import shapes

KERNELS = sorted(shapes.HALF)


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_sum_to_one_and_are_mirrored(kernel):
    phase = np.linspace(0, 1, 101)
    weights = shapes.weights(kernel, phase)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, rtol=1e-14)
    if kernel != "nearest":
        np.testing.assert_allclose(weights, shapes.weights(kernel, 1 - phase)[:, ::-1], atol=1e-14)
        # On a sample the sample itself.
        np.testing.assert_allclose(
            weights[0], np.arange(2 * shapes.HALF[kernel]) == shapes.HALF[kernel] - 1, atol=1e-15
        )


@pytest.mark.parametrize(("kernel", "degree"), [("bilinear", 1), ("bicubic", 2)])
def test_polynomials_are_reproduced(kernel, degree):
    phase = np.linspace(0, 1, 37)
    half = shapes.HALF[kernel]
    samples = np.arange(1 - half, half + 1.0) ** degree
    np.testing.assert_allclose(shapes.weights(kernel, phase) @ samples, phase**degree, atol=1e-12)


@pytest.mark.parametrize("kernel", [k for k in KERNELS if k != "nearest"])
def test_both_forms_hold_the_weights(kernel):
    phase = np.random.default_rng(0).uniform(size=1000)
    half, expected = shapes.HALF[kernel], shapes.weights(kernel, phase)
    t = (phase - 0.5)[:, None]
    for k, (even, odd) in enumerate(shapes.polynomials(kernel).astype(float)):
        powers = 2 * np.arange(shapes.TERMS)
        e, o = (even * t**powers).sum(axis=1), (odd * t ** (powers + 1)).sum(axis=1)
        assert np.abs(e + o - expected[:, k]).max() < 8e-6
        assert np.abs(e - o - expected[:, 2 * half - 1 - k]).max() < 8e-6
    step = (phase * shapes.STEPS).astype(int)
    lines = shapes.lane_table(kernel)[step].astype(float)
    found = lines[:, :8] + (phase * shapes.STEPS - step)[:, None] * lines[:, 8:]
    assert np.abs(found[:, 4 - half : 4 + half] - expected).max() < 6e-5
    assert not found[:, : 4 - half].any()
    assert not found[:, 4 + half :].any()
