"""Steps as text: what is written reads back as the same step; what is wrong is explained."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.errors import InputError, SpecError
from firstlight.model.image import Image
from firstlight.ops.registry import describe, operations
from firstlight.ops.spec import parse_step, step


def values(row):
    """Any value that a parameter allows, by its row of `describe`."""
    if row["type"] == "boolean":
        return st.booleans()
    if row["choices"]:
        return st.sampled_from(row["choices"])
    bounds = row["bounds"]
    low, high = (bounds.get(f"{e}imum", bounds.get(f"exclusive{e.capitalize()}imum")) for e in ("min", "max"))
    if row["type"] == "integer":
        return st.integers(math.ceil(low if low is not None else -100), math.floor(high if high is not None else 100))
    return st.floats(
        low, high, allow_nan=False, allow_infinity=False,
        exclude_min="exclusiveMinimum" in bounds, exclude_max="exclusiveMaximum" in bounds,
    )  # fmt: skip


@pytest.mark.parametrize("operation", operations().values(), ids=list(operations()))
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_what_is_written_reads_back(operation, data):
    given_values = {row["name"]: data.draw(values(row)) for row in describe(operation.params)}
    try:
        one = step(operation.id, **given_values)
    except SpecError:
        return  # a rule beyond the bounds, such as a multiple of 90
    for text in (str(one), one.pinned()):
        assert parse_step(text).params == one.params
    assert pickle.loads(pickle.dumps(one)).params == one.params


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stretch:asin", r"unknown operation 'stretch:asin'; did you mean stretch:asinh\?"),
        ("nonsense", "unknown operation 'nonsense:'"),
        ("stretch:asinh:bta=3", r"no parameter 'bta'; did you mean beta\? It takes: beta, black, luminance"),
        ("stretch:asinh:beta", "write parameters as key=value, got 'beta'"),
        ("stretch:asinh:beta=many", "beta='many'"),
        ("stretch:asinh:beta=-1", "beta='-1': input should be greater than 0"),
        ("stretch:asinh:luminance=rec", "luminance='rec'"),
        ("stretch:asinh@7", "is at version 2, not 7"),
        ("cal:subtractbias:x=1", r"no parameter 'x'\. It takes no parameters"),
    ],
)
def test_what_is_wrong_is_explained(text, words):
    with pytest.raises(SpecError, match=words):
        parse_step(text)


def test_further_images_are_counted():
    with pytest.raises(InputError, match="0 further images given; it takes bias"):
        step("cal:subtractbias")(Image(np.ones((2, 2))))
