"""Images to and from `astropy.nddata.CCDData`, without loss of what both can hold."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.errors import InputError
from firstlight.io.cards import Card
from firstlight.io.header import meta_from_header
from firstlight.io.product_header import product_cards
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Meta
from firstlight.model.plate import Plate

if TYPE_CHECKING:
    from astropy.nddata import CCDData

FORMAT_VERSION = 1
KEPT = "firstlight"
"""Entry of ``CCDData.meta`` in which what CCDData has no place for travels."""


def to_ccddata(image: Image) -> CCDData:
    """The image as CCDData: plane (y, x), or (channel, y, x) of several channels.

    Pixels, unit, variance, the mask (pixels that hold no number), the flags and, as ``wcs`` and header, the plate come
    along. What CCDData has no place for travels in its ``meta``, so that `from_ccddata` gives the same image back.
    """
    from astropy import units
    from astropy.nddata import CCDData, VarianceUncertainty
    from astropy.wcs import WCS, FITSFixedWarning

    unit = {PixelUnit.ADU: units.adu, PixelUnit.ELECTRON: units.electron}.get(image.unit, units.dimensionless_unscaled)
    wcs = None
    if image.plate is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            wcs = WCS(dict(image.plate.cards)).celestial
    flat = image.data[0] if image.shape[0] == 1 else image.data
    shape = flat.shape
    header: dict[str, Any] = {}
    for keyword, value, *_ in _cards(image):
        header.setdefault(keyword, value)
    found = CCDData(
        flat.copy(), unit=unit, wcs=wcs, mask=has(image.flags, EXCLUDED).reshape(shape), meta=header,
        uncertainty=None if image.variance is None else VarianceUncertainty(image.variance.reshape(shape).copy()),
    )  # fmt: skip
    found.flags = image.flags.reshape(shape).copy()
    found.meta[KEPT] = {"state": str(image.state), "unit": str(image.unit), "meta": image.meta, "plate": image.plate,
                        "history": image.history}  # fmt: skip
    return found


def _cards(image: Image) -> list[Card]:
    return [card for card in product_cards(image, FORMAT_VERSION) if card[0] not in ("", "HISTORY", "COMMENT")]


def from_ccddata(ccd: CCDData) -> Image:
    """An image of CCDData; masked pixels are flagged NO_DATA where they have no flags of their own.

    Raises
    ------
    InputError
        The unit is none that pixels are counted in here, or the uncertainty is of an unknown kind.
    """
    from astropy import units

    kept = ccd.meta.get(KEPT, {}) if ccd.meta is not None else {}
    known = {units.adu: PixelUnit.ADU, units.electron: PixelUnit.ELECTRON, units.photon: PixelUnit.ELECTRON,
             units.count: PixelUnit.ADU, units.dimensionless_unscaled: PixelUnit.NORMALISED}  # fmt: skip
    if ccd.unit not in known:
        raise InputError(f"CCDData: the unit is {ccd.unit}; adu, electron, or none are allowed; convert it first")
    data = np.asarray(ccd.data, np.float32)
    flags = np.zeros(data.shape, np.uint16)
    own = getattr(ccd, "flags", None)
    if own is not None:
        flags |= np.asarray(own, np.uint16)
    if ccd.mask is not None:
        masked = np.broadcast_to(ccd.mask, data.shape) & ~has(flags, EXCLUDED)
        flags[masked] |= np.uint16(Flag.NO_DATA)
    plate = kept.get("plate")
    if plate is None and ccd.wcs is not None:
        header = ccd.wcs.to_header(relax=True)
        plate = Plate({key: header[key] for key in header if key not in ("", "COMMENT", "HISTORY")})
    return Image(
        data, flags, _variance(ccd), PixelUnit(kept["unit"]) if kept else known[ccd.unit],
        State(kept["state"]) if kept else State.LINEAR, plate, kept.get("meta") or _meta(ccd), kept.get("history", ()),
    )  # fmt: skip


def _variance(ccd: CCDData) -> np.ndarray | None:
    if ccd.uncertainty is None:
        return None
    kind, values = ccd.uncertainty.uncertainty_type, np.asarray(ccd.uncertainty.array, np.float64)
    if kind == "var":
        return values.astype(np.float32)
    if kind == "std":
        return (values**2).astype(np.float32)
    if kind == "ivar":
        with np.errstate(divide="ignore"):
            return (1 / values).astype(np.float32)
    raise InputError(f"CCDData: an uncertainty of the kind {kind!r}; std, var and ivar are allowed")


def _meta(ccd: CCDData) -> Meta:
    cards = [(str(key).upper(), value, "") for key, value in dict(ccd.meta or {}).items() if key != KEPT]
    shape = ccd.data.shape if np.ndim(ccd.data) == 3 else (1, *ccd.data.shape)
    return meta_from_header(cards, Path("CCDData"), shape)  # type: ignore[arg-type]
