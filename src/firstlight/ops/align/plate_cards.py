"""A fitted plate as FITS cards: TAN, TAN with SIP, TPV."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from firstlight.model.plate import Plate
from firstlight.ops.align.plate_fit import PlateFit, design, recentred

Form = Literal["sip", "tpv"]
GRID = 25
PV_RADIAL = (3, 11, 23, 39)
"""Numbers of PV terms that are powers of the distance; always 0 here."""


def plate_of_fit(fit: PlateFit, form: Form = "sip") -> Plate:
    """The plate's cards; without distortion it is a plain TAN in either form.

    SIP (Shupe et al. 2005) holds the distortion in pixels, with its inverse; TPV in degrees on the plane, as SCAMP and
    SWarp use it.
    """
    # Two steps: the first may be of pixels, the second is of nothing that counts.
    fit = recentred(recentred(fit))
    rms = fit.rms * fit.scale
    cards: dict[str, Any] = {
        "WCSAXES": 2,
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CUNIT1": "deg",
        "CUNIT2": "deg",
        "CRVAL1": fit.ra,
        "CRVAL2": fit.dec,
        "CRPIX1": fit.origin[0] + 1.0,
        "CRPIX2": fit.origin[1] + 1.0,
    }
    cd = fit.cd
    # What is left of the constant (1e-9 px) goes into the pixel.
    shift = np.linalg.solve(cd, fit.terms[0])
    cards["CRPIX1"] -= float(shift[0])
    cards["CRPIX2"] -= float(shift[1])
    cards |= {f"CD{i + 1}_{j + 1}": float(cd[i, j]) for i in (0, 1) for j in (0, 1)}
    cards |= {"RADESYS": "ICRS", "EQUINOX": 2000.0}
    if fit.order > 1:
        cards |= _sip(fit, shift) if form == "sip" else _tpv(fit, shift)
    return Plate(cards, n_matched=len(fit.stars), rms=rms)


def _powers(order: int) -> list[tuple[int, int]]:
    return [(d - p, p) for d in range(order + 1) for p in range(d + 1)]


def _about_pixel(fit: PlateFit, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grid of offsets from CRPIX over the image, px, and the plane there, degrees."""
    side = fit.size * np.linspace(-1.05, 1.05, GRID)
    offsets = np.column_stack([c.ravel() for c in np.meshgrid(side, side)])
    origin = np.array(fit.origin) - shift
    return offsets, fit.on_plane(offsets + origin)


def _sip(fit: PlateFit, shift: np.ndarray) -> dict[str, Any]:
    offsets, plane = _about_pixel(fit, shift)
    order, size = fit.order, fit.size
    bent = plane @ np.linalg.inv(fit.cd).T - offsets
    matrix = design(offsets, (0.0, 0.0), size, order)
    forward = np.linalg.lstsq(matrix, bent, rcond=None)[0]
    # The inverse is no polynomial: one order more brings it to a thousandth of a pixel.
    there = offsets + bent
    back_order = min(order + 1, 6)
    backward = np.linalg.lstsq(design(there, (0.0, 0.0), size, back_order), -bent, rcond=None)[0]
    cards: dict[str, Any] = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"}
    for axis, letter in enumerate("AB"):
        cards[f"{letter}_ORDER"] = order
        for k, (i, j) in enumerate(_powers(order)):
            if i + j > 1:
                cards[f"{letter}_{i}_{j}"] = float(forward[k, axis] / size ** (i + j))
    for axis, letter in enumerate("AB"):
        cards[f"{letter}P_ORDER"] = back_order
        for k, (i, j) in enumerate(_powers(back_order)):
            cards[f"{letter}P_{i}_{j}"] = float(backward[k, axis] / size ** (i + j))
    return cards


def tpv_terms(order: int) -> list[tuple[int, int, int]]:
    """(number, power of the axis itself, power of the other) of PV terms up to an order, without the radial ones.

    >>> tpv_terms(2)
    [(0, 0, 0), (1, 1, 0), (2, 0, 1), (4, 2, 0), (5, 1, 1), (6, 0, 2)]
    """
    found, number = [], 0
    for degree in range(order + 1):
        for other in range(degree + 1):
            found.append((number, degree - other, other))
            number += 1
        if degree % 2:
            number += 1  # the radial term
    return found


def _tpv(fit: PlateFit, shift: np.ndarray) -> dict[str, Any]:
    offsets, plane = _about_pixel(fit, shift)
    straight = offsets @ fit.cd.T
    size = float(np.abs(straight).max())
    cards: dict[str, Any] = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV"}
    for axis in (0, 1):
        own, other = straight[:, axis] / size, straight[:, 1 - axis] / size
        terms = tpv_terms(fit.order)
        matrix = np.column_stack([own**i * other**j for _, i, j in terms])
        coefficients = np.linalg.lstsq(matrix, plane[:, axis], rcond=None)[0]
        for (number, i, j), value in zip(terms, coefficients):
            cards[f"PV{axis + 1}_{number}"] = float(value / size ** (i + j))
    return cards
