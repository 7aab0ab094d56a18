"""The image: pixels with their flags, their noise, their place on the sky and their history."""

from __future__ import annotations

import enum
from dataclasses import InitVar, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.errors import ContractError
from firstlight.model.flags import EXCLUDED, Flag, has
from firstlight.model.meta import Meta

if TYPE_CHECKING:
    from firstlight.model.plate import Plate


_CACHED = 100_000
"""Pixels that are looked at together."""


class PixelUnit(enum.StrEnum):
    """What a pixel value counts."""

    ADU = "adu"
    ELECTRON = "electron"
    NORMALISED = "normalised"
    """Scaled so that 1 is white (pictures) or the mean level (flats)."""


class State(enum.StrEnum):
    """Linear: proportional to light. Stretched: made for the eye."""

    LINEAR = "linear"
    STRETCHED = "stretched"


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels and all that is known of them; `replace` is the only way to change one.

    Axes are always ``(channel, y, x)``: a mono image has one channel. A plane ``(y, x)`` is taken as one channel.
    ``data`` becomes float32 and ``flags`` uint16 of the same shape; pixels that are not finite are flagged
    ``NOT_FINITE`` on construction.

    >>> image = Image(np.array([[1.0, np.nan]]))
    >>> image.shape, image.good.tolist()
    ((1, 1, 2), [[[True, False]]])
    """

    data: np.ndarray
    """float32, (channel, y, x), in ``unit``."""
    flags: np.ndarray = None  # type: ignore[assignment]
    """uint16 bits of `firstlight.model.flags.Flag`, same shape."""
    variance: np.ndarray | None = None
    """float32, same shape, in ``unit`` squared; None where it is not known."""
    unit: PixelUnit = PixelUnit.ADU
    state: State = State.LINEAR
    plate: Plate | None = None
    meta: Meta = field(default_factory=Meta)
    history: tuple[str, ...] = ()
    """Steps applied, in pinned form."""
    checked: InitVar[bool] = False
    """Said by whoever knows that pixels which are not finite are flagged: they are not looked for then."""

    def __post_init__(self, checked: bool) -> None:
        data = _stacked(np.asarray(self.data, dtype=np.float32))
        flags = self.flags
        flags = np.zeros(data.shape, np.uint16) if flags is None else _stacked(np.asarray(flags, dtype=np.uint16))
        if flags.shape != data.shape:
            raise ContractError(f"image: data is {data.shape}, flags is {flags.shape}; they must be equal")
        variance = self.variance
        if variance is not None:
            variance = _stacked(np.asarray(variance, dtype=np.float32))
            if variance.shape != data.shape:
                raise ContractError(f"image: data is {data.shape}, variance is {variance.shape}; they must be equal")
        if not checked and not _all_finite(data):
            flags = np.where(np.isfinite(data), flags, flags | np.uint16(Flag.NOT_FINITE))
        object.__setattr__(self, "data", data)
        object.__setattr__(self, "flags", flags)
        object.__setattr__(self, "variance", variance)

    def replace(self, **changes: Any) -> Image:
        """A copy with these fields changed; arrays that are not named are shared, never copied."""
        changes.setdefault("checked", not {"data", "flags"} & changes.keys())
        return replace(self, **changes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width)."""
        return self.data.shape  # type: ignore[return-value]

    @property
    def good(self) -> np.ndarray:
        """Boolean, same shape as the data: True where the pixel holds a number."""
        return ~has(self.flags, EXCLUDED)

    def __repr__(self) -> str:
        channels, height, width = self.shape
        what = self.meta.target or self.meta.kind.value
        variance = "with variance" if self.variance is not None else "no variance"
        return f"<Image {what}: {channels} x {height} x {width}, {self.unit}, {self.state}, {variance}>"


def _all_finite(data: np.ndarray) -> bool:
    """A few rows at a time, so that the answer for each pixel never leaves the cache."""
    rows = max(_CACHED // max(data.shape[2], 1), 1)
    return all(
        bool(np.isfinite(plane[top : top + rows]).all()) for plane in data for top in range(0, data.shape[1], rows)
    )


def _stacked(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3:
        raise ContractError(f"image: an array of shape {array.shape}; (y, x) or (channel, y, x) is allowed")
    return array
