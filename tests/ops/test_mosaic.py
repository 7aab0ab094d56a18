"""Operations whose result mixes neighbours refuse a mosaic."""

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.spec import parse_step


@pytest.mark.parametrize("name", ["bin:mean", "nr:gaussian", "nr:median"])
def test_colours_are_not_mixed(name):
    with pytest.raises(InputError, match=rf"{name}: the image is a CFA mosaic \(BGGR\), its colours would mix"):
        parse_step(name)(Image(np.ones((20, 20)), meta=Meta(cfa="BGGR")))
