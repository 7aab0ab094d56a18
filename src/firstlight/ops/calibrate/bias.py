"""Bias subtraction."""

from __future__ import annotations

from firstlight.model.image import Image, State
from firstlight.model.meta import Kind
from firstlight.ops.calibrate.masters import check_master, check_unit, passed_flags, saturation_above, typical
from firstlight.ops.registry import Params, Reach, operation


class SubtractBias(Params):
    """Takes no parameters."""


@operation("cal:subtractbias", reach=Reach.PIXEL, demands=State.LINEAR)
def subtract_bias(image: Image, p: SubtractBias, bias: Image) -> Image:
    """Subtract a master bias; nothing is clipped at zero.

    Flags: hot, cold and missing pixels of the master are added. Variance: that of the master is added where it is
    known; none stays none. Plate and unit: kept. The saturation level in the header drops by the median of the bias.

    Raises
    ------
    InputError
        The master does not fit, is no bias, or the bias was subtracted before.

    >>> subtract_bias(Image([[12.0, 15.0]]), SubtractBias(), Image([[10.0, 11.0]])).data.ravel().tolist()
    [2.0, 4.0]
    """
    check_master("cal:subtractbias", image, bias, "bias", {Kind.BIAS, Kind.MASTER_BIAS})
    check_unit("cal:subtractbias", image, bias, "bias")
    variance = image.variance
    if variance is not None and bias.variance is not None:
        variance = variance + bias.variance
    meta = image.meta.replace(
        calibrated=image.meta.calibrated | {"bias"}, saturation=saturation_above(image, typical(bias))
    )
    return image.replace(data=image.data - bias.data, variance=variance, flags=passed_flags(image, bias), meta=meta)
