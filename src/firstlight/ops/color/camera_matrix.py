"""Colours of a camera turned into those of the eye."""

from __future__ import annotations

from typing import Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image
from firstlight.ops.color.channels import need_three
from firstlight.ops.color.lightness import TO_XYZ
from firstlight.ops.color.mix import mixed
from firstlight.ops.registry import Params, Reach, operation

CAMERAS: dict[str, tuple[int, ...]] = {
    "canon-650d": (6602, -841, -939, -4472, 12458, 2247, -975, 2039, 6148),
    "nikon-d5500": (8821, -2938, -785, -4178, 12142, 2287, -824, 1651, 6860),
}
"""CIE XYZ (D65) to camera, in ten thousandths, as Adobe publishes them with its DNG converter."""


class CameraMatrix(Params):
    camera: Literal["header", "canon-650d", "nikon-d5500"] = "header"
    """``header``: the matrix that the camera raw file brought along (cards CAMXYZ11 to CAMXYZ33)."""


@operation("color:cameramatrix", reach=Reach.PIXEL)
def camera_matrix(image: Image, p: CameraMatrix) -> Image:
    """Turn red, green and blue of a camera into linear sRGB by the matrix of the camera; white stays white.

    Apply it after the white balance, and after the stack: colours are further apart afterwards, and noisier. The matrix
    takes XYZ to the camera; times that of sRGB, each row made to sum up to 1, and inverted.

    Flags: OR-ed over the channels. Variance: squared shares, the channels taken as independent. Plate and unit: kept.

    References
    ----------
    Adobe, Digital Negative Specification (ColorMatrix); the normalisation of rows is the usual one of raw converters.

    Raises
    ------
    InputError
        If the image has no three channels, or its header no matrix.

    >>> white = Image(np.ones((3, 1, 1)))
    >>> camera_matrix(white, CameraMatrix(camera="nikon-d5500")).data.ravel().round(5).tolist()
    [1.0, 1.0, 1.0]
    """
    need_three("color:cameramatrix", image)
    return mixed(image, matrix_to_srgb(_of_header(image) if p.camera == "header" else np.array(CAMERAS[p.camera])))


def matrix_to_srgb(camera_xyz: np.ndarray) -> np.ndarray:
    """Matrix (3, 3) from balanced camera colours to linear sRGB, of the one from XYZ to the camera (9 numbers)."""
    to_camera = np.asarray(camera_xyz, np.float64).reshape(3, 3) @ TO_XYZ
    return np.linalg.inv(to_camera / to_camera.sum(axis=1, keepdims=True))


def _of_header(image: Image) -> np.ndarray:
    cards = {keyword: value for keyword, value, _ in image.meta.cards}
    names = [f"CAMXYZ{j}{i}" for j in (1, 2, 3) for i in (1, 2, 3)]
    missing = [name for name in names if name not in cards]
    if missing:
        raise InputError(
            f"color:cameramatrix: the header has no {missing[0]}, which camera raw files bring along; use "
            f"camera={' or camera='.join(CAMERAS)}, or color:mix with a matrix of your own"
        )
    return np.array([float(cards[name]) for name in names])
