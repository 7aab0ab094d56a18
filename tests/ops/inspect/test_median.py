import numpy as np
import pytest

from firstlight.ops.inspect.median import MANY, median, percentiles_of


@pytest.mark.parametrize("n", [1, 2, 1000, MANY, MANY + 1])
@pytest.mark.parametrize("kind", ["noise", "steps", "ramp", "outliers", "equal"])
def test_is_the_median_of_numpy(n, kind):
    rng = np.random.default_rng(n)
    values = {
        "noise": lambda: rng.normal(1000, 3, n),
        "steps": lambda: rng.integers(0, 3, n),
        "ramp": lambda: np.arange(n),
        # Every tenth value, as the sample takes them, is far off: its limits are wrong.
        "outliers": lambda: np.where(np.arange(n) % 10 == 0, 1e6, rng.normal(0, 1, n)),
        "equal": lambda: np.full(n, 5.0),
    }[kind]().astype(np.float32)
    assert median(values) == float(np.median(values))
    pair = np.stack([values, values])
    assert median(pair) == float(np.median(pair))
    percents = [0.0, 2.0, 37.3, 99.5, 100.0]
    expected = np.percentile(values.astype(np.float64), percents)
    np.testing.assert_allclose(percentiles_of(values, percents), expected, rtol=1e-12)
