"""The variance plane as an image."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.spec import parse_step


def test_noise_and_weights():
    image = Image(np.ones((1, 2, 2)), variance=[[[4.0, 1.0], [0.0, np.nan]]])
    assert parse_step("inspect:uncertainty")(image).data[0, 0].tolist() == [2.0, 1.0]
    assert parse_step("inspect:meta:show=weights")(image).data.ravel().tolist() == [0.25, 1.0, 0.0, 0.0]


def test_without_a_variance_it_says_so():
    with pytest.raises(InputError, match="has no variance"):
        parse_step("inspect:uncertainty")(Image(np.ones((1, 2, 2))))
