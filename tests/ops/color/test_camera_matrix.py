"""From the colours of a camera to those of the eye."""

import numpy as np
import pytest

from firstlight import step
from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.color.camera_matrix import CAMERAS, matrix_to_srgb
from firstlight.ops.color.lightness import TO_XYZ


@pytest.mark.parametrize("camera", CAMERAS)
def test_colours_of_a_scene_come_back(camera):
    """A scene in sRGB, seen by the camera and balanced to white, comes back."""
    scene = np.random.default_rng(1).uniform(0, 1, (3, 5, 6))
    sensor = np.array(CAMERAS[camera]).reshape(3, 3) @ TO_XYZ
    seen = np.tensordot(sensor / sensor.sum(axis=1, keepdims=True), scene, axes=1)
    result = step("color:cameramatrix", camera=camera)(Image(seen))
    np.testing.assert_allclose(result.data, scene, atol=1e-5)
    cards = tuple((f"CAMXYZ{j}{i}", CAMERAS[camera][3 * j + i - 4] / 1e4, "") for j in (1, 2, 3) for i in (1, 2, 3))
    of_header = step("color:cameramatrix")(Image(seen, meta=Meta(cards=cards)))
    np.testing.assert_allclose(of_header.data, result.data, atol=1e-5)


def test_white_stays_white_and_a_header_without_a_matrix_is_refused():
    for numbers in CAMERAS.values():
        np.testing.assert_allclose(matrix_to_srgb(np.array(numbers)).sum(axis=1), 1, atol=1e-12)
    with pytest.raises(InputError, match="the header has no CAMXYZ11"):
        step("color:cameramatrix")(Image(np.ones((3, 2, 2))))
