"""Sums, differences, products and quotients of images and numbers, with units."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from firstlight.errors import InputError
from firstlight.model.flags import Flag
from firstlight.model.image import Image, PixelUnit, State
from firstlight.model.meta import Meta
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Unit

Sum = Literal["add", "subtract", "multiply", "divide"]


class Arithmetic(Params):
    do: Sum = "subtract"
    """What is done to the image with the other."""


class Constant(Params):
    do: Sum = "add"
    """What is done to the image with the number."""
    value: Annotated[float, Unit("that of the image, or none")] = 1.0
    """The number: in the image's unit to add or subtract, without one to multiply or divide."""


@operation("cal:arithmetic", reach=Reach.PIXEL, demands=State.LINEAR)
def arithmetic(image: Image, p: Arithmetic, other: Image) -> Image:
    """Add, subtract, multiply or divide by another image.

    Sums need equal units. A factor or divisor that is normalised keeps the unit; two images in one unit divide to a
    normalised one; no others multiply. Where the divisor is 0 the pixel keeps its value and is flagged NO_DATA.

    Flags: those of both, OR-ed. Variance: of independent images, to first order; none if either has none. Plate: kept.
    Unit: as said. Saturation, gain and all else of the header stay as they are.

    Raises
    ------
    InputError
        Shapes, CFA patterns or units do not go together.

    >>> arithmetic(Image([[6.0, 8.0]]), Arithmetic(do="divide"), Image([[2.0, 4.0]])).data.ravel().tolist()
    [3.0, 2.0]
    """
    _check(image, other)
    unit = _unit(p.do, image.unit, other.unit)
    a, b = image.data, other.data
    flags = image.flags | other.flags
    va, vb = image.variance, other.variance
    variance = None
    if p.do in ("add", "subtract"):
        data = a + b if p.do == "add" else a - b
        variance = None if va is None or vb is None else va + vb
    elif p.do == "multiply":
        data = a * b
        variance = None if va is None or vb is None else va * b**2 + vb * a**2
    else:
        usable = (b != 0) & np.isfinite(b)
        inverse = np.divide(np.float32(1), b, out=np.ones_like(b), where=usable)
        data = a * inverse
        flags = flags | np.where(usable, np.uint16(0), np.uint16(Flag.NO_DATA))
        if va is not None and vb is not None:
            variance = (va + data**2 * np.where(usable, vb, np.float32(0))) * inverse**2
    return image.replace(data=data, flags=flags, variance=variance, unit=unit)


def _check(image: Image, other: Image) -> None:
    if image.shape != other.shape:
        raise InputError(
            f"cal:arithmetic: the image is {' x '.join(map(str, image.shape))}, the other "
            f"{' x '.join(map(str, other.shape))}; they must be equal; crop or bin one of them"
        )
    if image.meta.cfa and other.meta.cfa and image.meta.cfa != other.meta.cfa:
        raise InputError(
            f"cal:arithmetic: the CFA pattern is {image.meta.cfa}, of the other {other.meta.cfa}; they must be equal"
        )


def _unit(do: str, mine: PixelUnit, theirs: PixelUnit) -> PixelUnit:
    if do in ("add", "subtract"):
        if mine != theirs:
            raise InputError(
                f"cal:arithmetic: the image is in {mine}, the other in {theirs}; a sum needs one unit; cal:electrons "
                "turns adu into electrons"
            )
        return mine
    if theirs == PixelUnit.NORMALISED:
        return mine
    if do == "divide" and mine == theirs:
        return PixelUnit.NORMALISED
    if do == "multiply" and mine == PixelUnit.NORMALISED:
        return theirs
    raise InputError(f"cal:arithmetic: {mine} {'times' if do == 'multiply' else 'by'} {theirs} has no unit here")


@operation("cal:constant", reach=Reach.PIXEL, demands=State.LINEAR)
def constant(image: Image, p: Constant) -> Image:
    """Add, subtract, multiply or divide by a number.

    What is added is no pedestal: reading the file does not take it off again (`cal:pedestal` is). In the header the
    saturation moves along, and a factor divides the gain (e-/adu).

    Flags, plate and unit: kept. Variance: times the square of a factor.

    Raises
    ------
    InputError
        To divide by 0.

    >>> constant(Image([[6.0, 8.0]], variance=[[1.0, 2.0]]), Constant(do="multiply", value=2)).variance.ravel().tolist()
    [4.0, 8.0]
    """
    if p.do == "divide" and p.value == 0:
        raise InputError("cal:constant: value=0; nothing can be divided by 0; give another number")
    if p.do in ("add", "subtract"):
        shift = p.value if p.do == "add" else -p.value
        return image.replace(data=image.data + np.float32(shift), meta=_moved(image, 1.0, shift))
    factor = p.value if p.do == "multiply" else 1 / p.value
    variance = None if image.variance is None else image.variance * np.float32(factor) ** 2
    return image.replace(data=image.data * np.float32(factor), variance=variance, meta=_moved(image, factor, 0.0))


def _moved(image: Image, factor: float, shift: float) -> Meta:
    """Saturation and gain of the header, which are about adu."""
    meta = image.meta
    if image.unit != PixelUnit.ADU:
        return meta
    saturation = None if meta.saturation is None else meta.saturation * factor + shift
    gain = meta.gain / factor if meta.gain and factor > 0 else None if factor <= 0 else meta.gain
    return meta.replace(saturation=saturation, gain=gain)
