"""Grids on the sky: where resampled images shall lie, and the maps that take images there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firstlight.errors import FrameError, InputError
from firstlight.model.pixel_map import cd_matrix
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.ops.align.plates import SkyMap, transform_of_plates

LARGEST = 200_000
"""px: a longer side is a mistake."""


@dataclass(frozen=True, eq=False)
class SkyGrid:
    """A gnomonic (TAN) grid without distortion: height, width (px) and plate."""

    height: int
    width: int
    plate: Plate

    @classmethod
    def around(
        cls, ra: float, dec: float, scale: float, size: tuple[int, int], rotation: float = 0.0, mirrored: bool = False
    ) -> SkyGrid:
        """A grid of ``size`` (width, height; px) around a place on the sky (degrees), ``scale`` in arcsec/px.

        ``rotation`` turns north from up (up is the last row) counter-clockwise, degrees; east is to its left, or to its
        right on a ``mirrored`` grid.

        >>> grid = SkyGrid.around(10.0, 40.0, 2.0, (101, 51))
        >>> SkyMap.of(grid.plate).positions(np.array([[10.0, 40.0]])).round(6).tolist()
        [[50.0, 25.0]]
        """
        width, height = size
        if not (0 < width <= LARGEST and 0 < height <= LARGEST):
            raise InputError(f"grid of {width} x {height} px; sides of 1 to {LARGEST} px are allowed")
        angle, step = np.radians(rotation), scale / 3600.0
        c, s = np.cos(angle), np.sin(angle)
        cd = step * np.array([[-c, -s], [-s, c]]) @ (np.diag([-1.0, 1.0]) if mirrored else np.eye(2))
        return cls(height, width, _tan((ra, dec), (width - 1) / 2, (height - 1) / 2, cd))

    @classmethod
    def like(cls, plate: Plate, shape: tuple[int, int]) -> SkyGrid:
        """The grid of an image (height, width) without its distortion.

        It touches the image's own in the middle, where position, scale and direction are the same.

        Raises
        ------
        FrameError
            The plate is not understood.
        """
        height, width = shape
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        near = middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        sky = sky_of(plate, near)
        plane = _on_plane(sky, *sky[0])
        cd = np.degrees(np.column_stack([plane[1] - plane[3], plane[2] - plane[4]]) / 2)
        return cls(height, width, _tan((float(sky[0, 0]), float(sky[0, 1])), *middle, cd))

    def containing(self, plates: Sequence[tuple[Plate, tuple[int, int]]]) -> SkyGrid:
        """The same grid, moved and enlarged so that it holds all these images (plate, (height, width))."""
        corners = []
        for plate, (height, width) in plates:
            along = np.linspace(-0.5, 1.0, 9)
            xs, ys = along * width, along * height
            edges = [np.column_stack([xs, np.full(9, y)]) for y in (-0.5, height - 0.5)]
            edges += [np.column_stack([np.full(9, x), ys]) for x in (-0.5, width - 0.5)]
            corners.append(SkyMap.of(self.plate).positions(sky_of(plate, np.concatenate(edges))))
        reached = np.concatenate(corners)
        if not np.isfinite(reached).all():
            raise InputError("resample: the images lie too far apart for one flat grid; take them in groups")
        low, high = np.floor(reached.min(axis=0)).astype(int), np.ceil(reached.max(axis=0)).astype(int)
        width, height = (int(v) + 1 for v in high - low)
        if max(width, height) > LARGEST:
            raise InputError(f"resample: {width} x {height} px would hold all images; at most {LARGEST} a side")
        cards = dict(self.plate.cards)
        cards["CRPIX1"] -= int(low[0])
        cards["CRPIX2"] -= int(low[1])
        return SkyGrid(height, width, Plate(cards))


def _tan(sky: tuple[float, float], x: float, y: float, cd: np.ndarray) -> Plate:
    return Plate({
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
        "CRVAL1": float(sky[0]), "CRVAL2": float(sky[1]), "CRPIX1": float(x) + 1, "CRPIX2": float(y) + 1,
        "CD1_1": float(cd[0, 0]), "CD1_2": float(cd[0, 1]), "CD2_1": float(cd[1, 0]), "CD2_2": float(cd[1, 1]),
        "RADESYS": "ICRS",
    })  # fmt: skip


def _on_plane(sky: np.ndarray, ra: float, dec: float) -> np.ndarray:
    """Gnomonic standard coordinates (n, 2), radians, about a place."""
    a, d = np.radians(sky[:, 0] - ra), np.radians(sky[:, 1])
    d0 = np.radians(dec)
    depth = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(a)
    return np.column_stack([
        np.cos(d) * np.sin(a) / depth,
        (np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(a)) / depth,
    ])  # fmt: skip


def sky_of(plate: Plate, positions: np.ndarray) -> np.ndarray:
    """Right ascension and declination (n, 2; degrees, ICRS) of positions (n, 2; 0-based px), of any plate.

    TAN and TAN-SIP by our own formulas; others (TPV, ZPN, tables ...) by astropy.
    """
    try:
        return SkyMap.of(plate).sky(positions)
    except FrameError:
        return np.column_stack(_wcs(plate).all_pix2world(positions[:, 0], positions[:, 1], 0))


def positions_of(plate: Plate, sky: np.ndarray) -> np.ndarray:
    """Positions (n, 2; 0-based px) of places on the sky (n, 2; degrees), of any plate; NaN on the far side.

    >>> plate = SkyGrid.around(10.0, 40.0, 2.0, (101, 51)).plate
    >>> positions_of(plate, sky_of(plate, np.array([[3.0, 7.0]]))).round(6).tolist()
    [[3.0, 7.0]]
    """
    try:
        return SkyMap.of(plate).positions(sky)
    except FrameError:
        return np.column_stack(_wcs(plate).all_world2pix(sky[:, 0], sky[:, 1], 0, quiet=True))


def _wcs(plate: Plate):
    import warnings

    from astropy.wcs import WCS, FITSFixedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        # A new one for each call: one that threads share gives wrong places (astropy issue 16244).
        wcs = WCS(dict(plate.cards))
    if not wcs.has_celestial:
        raise FrameError("plate: no celestial axes in it")
    return wcs


@dataclass(frozen=True, eq=False)
class AnyMap:
    """Positions on an image to those on a grid, through a plate that is none of ours; what resampling asks of a map."""

    plate: Plate
    grid: Plate
    matrix: np.ndarray
    """3 x 3: the map near the middle of the image."""
    backwards: bool = False

    is_affine = False

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        here, there = (self.grid, self.plate) if self.backwards else (self.plate, self.grid)
        return positions_of(there, sky_of(here, np.asarray(positions, np.float64)))

    @property
    def inverse(self) -> AnyMap:
        """Positions on the grid to those on the image."""
        return AnyMap(self.plate, self.grid, np.linalg.inv(self.matrix), not self.backwards)

    @property
    def scale(self) -> float:
        """Grid px per image px, near the middle."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))


def map_to(plate: Plate, shape: tuple[int, int], grid: SkyGrid) -> Transform | AnyMap:
    """The map from an image (plate, (height, width)) to a grid.

    Raises
    ------
    FrameError
        They lie on different sides of the sky.
    """
    try:
        SkyMap.of(plate)
    except FrameError:
        middle = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
        near = middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        there = positions_of(grid.plate, sky_of(plate, near))
        if not np.isfinite(there).all():
            raise FrameError("plate: on the far side of the sky from the grid") from None
        matrix = np.eye(3)
        matrix[:2, :2] = np.column_stack([there[1] - there[0], there[2] - there[0]])
        matrix[:2, 2] = there[0] - matrix[:2, :2] @ middle[0]
        return AnyMap(plate, grid.plate, matrix)
    return transform_of_plates(plate, grid.plate)


def scale_of(plate: Plate) -> float:
    """Pixel scale at the reference pixel, arcsec/px.

    >>> round(scale_of(SkyGrid.around(10.0, 40.0, 2.0, (101, 51)).plate), 9)
    2.0
    """
    return float(np.sqrt(abs(np.linalg.det(cd_matrix(plate)))) * 3600.0)
