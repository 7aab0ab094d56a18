"""Other spellings point at living operations and hide none."""

import pytest

from firstlight.ops.aliases import ALIASES
from firstlight.ops.registry import operations
from firstlight.ops.spec import parse_step


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_another_name_of_an_operation(alias):
    assert alias not in operations()
    each = parse_step(alias)
    assert each.operation.id == ALIASES[alias]
    # History knows the living name only.
    assert each.pinned().startswith(f"{ALIASES[alias]}@")
