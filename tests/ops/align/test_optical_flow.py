"""Dense flow, gathered in patches."""

import numpy as np
import pytest

from firstlight.ops.align import optical_flow
from firstlight.ops.align.optical_flow import flow_displacements
from firstlight.ops.align.patches import compare_patches
from firstlight.ops.align.texture import texture_of
from ops.align.textures import rms, seen, smooth_field, surface

SHAPE = (240, 300)


@pytest.mark.parametrize(("method", "largest"), [("ilk", 2048), ("tvl1", 2048), ("ilk", 200)])
def test_flow_is_near_the_truth(method, largest, monkeypatch):
    monkeypatch.setattr(optical_flow, "LARGEST", largest)
    scene, field = surface(SHAPE), smooth_field(SHAPE, 150, 1.0)
    reference, other = texture_of(seen(scene, SHAPE)), texture_of(seen(scene, SHAPE, field, seed=4))
    other[:, :20] = np.nan
    patches = compare_patches(reference, other)
    found = flow_displacements(reference, other, method, patches)
    np.testing.assert_array_equal(found.found, patches.found)
    at = found.positions[found.found]
    assert rms(found.shifts[found.found] + field(at)) < 0.15
