"""Transforms between frames from their plates (world coordinate systems)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from firstlight.errors import FrameError
from firstlight.model.catalog import unit_vectors
from firstlight.model.distortion import Bend, Distorted, Unbend
from firstlight.model.pixel_map import cd_matrix
from firstlight.model.plate import Plate
from firstlight.model.registration import Transform
from firstlight.ops.align.plate_cards import PV_RADIAL, tpv_terms
from firstlight.ops.align.plate_fit import design

FARTHEST = 60.0
"""Degrees between two plates' centres; beyond, one of them cannot be drawn on the plane of the other."""
_SIP = re.compile(r"([AB])_(\d)_(\d)$")


@dataclass(frozen=True, eq=False)
class SkyMap:
    """Pixels (0-based) to directions: unit vectors on the sky, x towards (0, 0), z towards the north pole."""

    bend: Bend | None
    """SIP distortion; None without."""
    matrix: np.ndarray
    """3 x 3: (x, y, 1) after the bend to a vector of any length, positive before the camera."""

    @classmethod
    def of(cls, plate: Plate) -> SkyMap:
        """Of a gnomonic plate (TAN, with or without SIP, or TPV without radial terms); the others are refused.

        >>> cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 90.0, "CRVAL2": 0.0, "CRPIX1": 1.0,
        ...          "CRPIX2": 1.0, "CD1_1": -0.001, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.001}
        >>> ra, dec = SkyMap.of(Plate(cards)).sky(np.array([[0.0, 0.0], [0.0, 100.0]])).T
        >>> ra.round(6).tolist(), dec.round(4).tolist()
        ([90.0, 90.0], [0.0, 0.1])

        Raises
        ------
        FrameError
            Another projection, distortion tables, or a turned native pole.
        """
        cards = plate.cards
        axes = [str(cards.get(f"CTYPE{i}", "")) for i in (1, 2)]
        kinds = [re.sub("-SIP$|TPV$", lambda found: "TAN" if found[0] == "TPV" else "", axis) for axis in axes]
        is_tpv = all(axis.endswith("TPV") for axis in axes)
        swapped = kinds == ["DEC--TAN", "RA---TAN"]
        if not swapped and kinds != ["RA---TAN", "DEC--TAN"]:
            raise FrameError(f"plate: projection {axes[0]} / {axes[1]}; TAN, TAN-SIP and TPV are understood")
        if any(re.match(r"(CPDIS|CQDIS|D2IMDIS|PV\d_)", key) for key in cards) and not (is_tpv or _is_plain(cards)):
            raise FrameError("plate: distortion in tables or PV polynomials; TAN, TAN-SIP and TPV are understood")
        if abs(float(cards.get("LONPOLE", 180.0)) - 180.0) > 1e-9:
            raise FrameError(f"plate: LONPOLE {cards['LONPOLE']}; only 180 is understood")
        order = [1, 0] if swapped else [0, 1]
        cd = np.radians(cd_matrix(plate)[order])
        ra, dec = (np.radians(float(cards[f"CRVAL{i + 1}"])) for i in order)
        east = np.array([-np.sin(ra), np.cos(ra), 0.0])
        north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
        centre = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
        origin = np.array([float(cards.get(f"CRPIX{i}", 0.0)) - 1.0 for i in (1, 2)])
        plane = np.eye(3)
        plane[:2, :2] = cd
        plane[:2, 2] = -cd @ origin
        bend = _sip(cards, origin) if any(axis.endswith("-SIP") for axis in axes) else None
        if is_tpv:
            cd_file = np.radians(cd_matrix(plate))
            linear, constant, bend = _tpv(cards, origin, cd_file)
            plane[:2, :2] = cd @ linear
            plane[:2, 2] = cd @ (constant - linear @ origin)
        return cls(bend, np.column_stack([east, north, centre]) @ plane)

    def vectors(self, positions: np.ndarray) -> np.ndarray:
        """Unit vectors (n, 3) of positions (n, 2)."""
        positions = np.asarray(positions, np.float64)
        if self.bend is not None:
            positions = self.bend(positions)
        vectors = np.column_stack([positions, np.ones(len(positions))]) @ self.matrix.T
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def sky(self, positions: np.ndarray) -> np.ndarray:
        """Right ascension and declination (n, 2), degrees."""
        x, y, z = self.vectors(positions).T
        return np.column_stack([np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arctan2(z, np.hypot(x, y)))])

    def positions(self, sky: np.ndarray) -> np.ndarray:
        """Positions (n, 2) of places on the sky (n, 2), degrees; NaN on the far side."""
        ra, dec = np.radians(np.asarray(sky, np.float64)).T
        vectors = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
        x, y, w = np.linalg.inv(self.matrix) @ vectors.T
        w = np.where(w > 0, w, np.nan)
        found = np.column_stack([x / w, y / w])
        return found if self.bend is None else self.bend.undo(found)


def _is_plain(cards: object) -> bool:
    """Whether the PV cards, which some programs always write, say nothing."""
    return all(
        float(value) == (1.0 if key in ("PV1_1", "PV2_1") else 0.0)
        for key, value in dict(cards).items()  # type: ignore[call-overload]
        if re.match(r"PV\d_\d+$", key)
    ) and not any(re.match(r"(CPDIS|CQDIS|D2IMDIS)", key) for key in dict(cards))  # type: ignore[call-overload]


def _sip(cards: object, origin: np.ndarray) -> Bend | None:
    found = {}
    for key, value in dict(cards).items():  # type: ignore[call-overload]
        if match := _SIP.match(key):
            found[match[1], int(match[2]), int(match[3])] = float(value)
    if any(value and i + j < 2 for (_, i, j), value in found.items()):
        raise FrameError("plate: SIP terms of first degree; they belong into the CD matrix")
    highest = max((i + j for _, i, j in found), default=1)
    terms = [(d - p, p) for d in range(2, highest + 1) for p in range(d + 1)]
    coefficients = np.array([[found.get((axis, i, j), 0.0) for axis in "AB"] for i, j in terms])
    return Bend((float(origin[0]), float(origin[1])), 1.0, coefficients) if coefficients.any() else None


def _tpv(cards: object, origin: np.ndarray, cd: np.ndarray) -> tuple[np.ndarray, np.ndarray, Bend | None]:
    """TPV polynomials as a linear part, a constant and a bend, all in pixels: exact, as both are polynomials."""
    values = {key: float(value) for key, value in dict(cards).items() if re.match(r"PV[12]_\d+$", key)}  # type: ignore[call-overload]
    highest = max((int(key[4:]) for key, value in values.items() if value), default=1)
    degree = next(d for d in range(1, 8) if highest <= tpv_terms(d)[-1][0] + d % 2)
    if any(value and int(key[4:]) in PV_RADIAL for key, value in values.items()):
        raise FrameError("plate: TPV with radial terms; such without are understood")
    # On a grid whose size is such that no term vanishes against the others.
    steps = np.linspace(-1.0, 1.0, 2 * degree + 3)
    offsets = 1000.0 * np.column_stack([c.ravel() for c in np.meshgrid(steps, steps)])
    straight = np.degrees(offsets @ cd.T)
    bent = np.empty_like(straight)
    for axis in (0, 1):
        own, other = straight[:, axis], straight[:, 1 - axis]
        bent[:, axis] = sum(
            values.get(f"PV{axis + 1}_{number}", 1.0 if number == 1 else 0.0) * own**i * other**j
            for number, i, j in tpv_terms(degree)
        )
    pixels = np.radians(bent) @ np.linalg.inv(cd).T
    terms = np.linalg.lstsq(design(offsets, (0.0, 0.0), 1000.0, degree), pixels, rcond=None)[0]
    linear, constant = terms[1:3].T / 1000.0, terms[0]
    if degree == 1:
        return linear, constant, None
    # pixels = linear (offsets + bend) + constant
    bend = terms[3:] @ np.linalg.inv(linear).T
    return linear, constant, Bend((float(origin[0]), float(origin[1])), 1000.0, bend)


def sky_of(plate: Plate, positions: np.ndarray) -> np.ndarray:
    """Right ascension and declination (n, 2), degrees, of pixels (n, 2), 0-based: any projection FITS knows.

    >>> cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 90.0, "CRVAL2": 0.0, "CRPIX1": 1.0,
    ...          "CRPIX2": 1.0, "CD1_1": -0.001, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.001}
    >>> sky_of(Plate(cards), np.array([[0.0, 0.0]])).tolist()
    [[90.0, 0.0]]

    Raises
    ------
    FrameError
        The plate's cards make no world coordinate system.
    """
    positions = np.atleast_2d(np.asarray(positions, np.float64))
    try:
        return SkyMap.of(plate).sky(positions)
    except FrameError:
        return np.asarray(_general(plate).all_pix2world(positions, 0))


def positions_of(plate: Plate, sky: np.ndarray) -> np.ndarray:
    """Pixels (n, 2), 0-based, of places on the sky (n, 2), degrees; NaN where the plate does not reach.

    Raises
    ------
    FrameError
        The plate's cards make no world coordinate system.
    """
    sky = np.atleast_2d(np.asarray(sky, np.float64))
    try:
        return SkyMap.of(plate).positions(sky)
    except FrameError:
        return np.asarray(_general(plate).all_world2pix(sky, 0, quiet=True))


def scale_of(plate: Plate, shape: tuple[int, int]) -> float:
    """arcsec/px in the middle of an image (height, width)."""
    middle = np.array([(shape[1] - 1) / 2.0, (shape[0] - 1) / 2.0])
    corners = sky_of(plate, middle + np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]]))
    a, b, c, d = unit_vectors(corners[:, 0], corners[:, 1])
    area = np.linalg.norm(np.cross(b - a, d - c))
    return float(np.degrees(np.sqrt(area)) * 3600.0)


def _general(plate: Plate) -> Any:
    """A WCS of its own for each call: astropy's are not safe to share among threads."""
    import warnings

    from astropy.wcs import WCS, FITSFixedWarning

    lines = []
    for key, value in plate.cards.items():
        text = f"'{value:8}'" if isinstance(value, str) else f"{value!r:>20}".upper()
        lines.append(f"{key:8}= {text}"[:80].ljust(80))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            found = WCS("".join(lines))
        except (ValueError, KeyError, TypeError) as error:
            raise FrameError(f"plate: {' '.join(str(error).split())}") from error
    if not found.has_celestial:
        raise FrameError("plate: its cards tell no place on the sky")
    return found.celestial


def transform_of_plates(plate: Plate, reference: Plate) -> Transform:
    """Positions of a frame to those of the reference, where both have a plate.

    Of two gnomonic plates this is a homography, exactly; SIP distortion comes before and after it.

    Raises
    ------
    FrameError
        A plate that is not understood; plates too far apart for one plane.
    """
    mine, theirs = SkyMap.of(plate), SkyMap.of(reference)
    axes = [each.matrix @ np.array([*_centre(p), 1.0]) for each, p in ((mine, plate), (theirs, reference))]
    cosine = float(np.dot(*(axis / np.linalg.norm(axis) for axis in axes)))
    if cosine < np.cos(np.radians(FARTHEST)):
        apart = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        raise FrameError(f"plate: {apart:.0f} degrees from that of the reference; at most {FARTHEST:.0f} fit one plane")
    matrix = np.linalg.inv(theirs.matrix) @ mine.matrix
    between = Transform(matrix / matrix[2, 2])
    if mine.bend is None and theirs.bend is None:
        return between
    parts = [*([mine.bend] if mine.bend else []), between, *([Unbend(theirs.bend)] if theirs.bend else [])]
    return Distorted.of(*parts)


def _centre(plate: Plate) -> tuple[float, float]:
    return tuple(float(plate.cards.get(f"CRPIX{i}", 1.0)) - 1.0 for i in (1, 2))  # type: ignore[return-value]


def motion_on(plate: Plate, position: np.ndarray, rate: float, angle: float) -> np.ndarray:
    """What moves by ``rate`` arcsec towards ``angle`` (degrees, north through east) at a position moves so many px."""
    sky = SkyMap.of(plate)
    (ra, dec), = sky.sky(position[None])  # fmt: skip
    step = rate / 3600.0
    towards = np.radians(angle)
    there = np.array([[ra + step * np.sin(towards) / np.cos(np.radians(dec)), dec + step * np.cos(towards)]])
    return sky.positions(there)[0] - position
