"""Dark subtraction."""

from __future__ import annotations

import numpy as np

from firstlight.errors import InputError
from firstlight.model.image import Image, State
from firstlight.model.meta import Kind
from firstlight.ops.calibrate.masters import check_master, check_unit, passed_flags, saturation_above, typical
from firstlight.ops.registry import Params, Reach, operation


class SubtractDark(Params):
    scale_exposure: bool = False
    """Multiply the dark by the ratio of the exposures; only for a dark without bias, and not where there is amplifier
    glow."""


@operation("cal:subtractdark", reach=Reach.PIXEL, demands=State.LINEAR)
def subtract_dark(image: Image, p: SubtractDark, dark: Image) -> Image:
    """Subtract a master dark; nothing is clipped at zero.

    A dark whose header says that its bias was taken off leaves the bias in the image; any other takes the bias along,
    and is refused for an image that has lost its bias already.

    Flags: hot, cold and missing pixels of the master are added. Variance: that of the master (times the square of the
    ratio) is added where it is known; none stays none. Plate and unit: kept. The saturation level in the header drops
    by the median of what was subtracted.

    Raises
    ------
    InputError
        The master does not fit or is no dark; bias or dark would be subtracted twice; a dark that holds bias cannot be
        scaled; an exposure is not known.

    >>> from firstlight.model.meta import Meta
    >>> light = Image([[12.0]], meta=Meta(exposure=60.0, calibrated=frozenset({"bias"})))
    >>> dark = Image([[4.0]], meta=Meta(exposure=120.0, calibrated=frozenset({"bias"})))
    >>> subtract_dark(light, SubtractDark(scale_exposure=True), dark).data.ravel().tolist()
    [10.0]
    """
    step = "cal:subtractdark"
    check_master(step, image, dark, "dark", {Kind.DARK, Kind.DARK_FLAT, Kind.MASTER_DARK})
    check_unit(step, image, dark, "dark")
    holds_bias = "bias" not in dark.meta.calibrated
    if holds_bias and "bias" in image.meta.calibrated:
        raise InputError(
            f"{step}: the bias of the image is subtracted already and the dark still holds its own; "
            "give a dark without bias, or the light as it was read"
        )
    ratio = np.float32(_ratio(image, dark, holds_bias) if p.scale_exposure else 1.0)
    variance = image.variance
    if variance is not None and dark.variance is not None:
        variance = variance + ratio**2 * dark.variance
    removed = {"dark", "bias"} if holds_bias else {"dark"}
    meta = image.meta.replace(
        calibrated=image.meta.calibrated | removed,
        saturation=saturation_above(image, float(ratio) * typical(dark)),
    )
    return image.replace(
        data=image.data - ratio * dark.data, variance=variance, flags=passed_flags(image, dark), meta=meta
    )


def _ratio(image: Image, dark: Image, holds_bias: bool) -> float:
    if holds_bias:
        raise InputError(
            "cal:subtractdark: scale_exposure=true, but the dark still holds its bias, which does not grow with the "
            "exposure; subtract the bias from the dark and from the light first (cal:subtractbias)"
        )
    if not image.meta.exposure or not dark.meta.exposure:
        unknown = "dark" if image.meta.exposure else "image"
        raise InputError(
            f"cal:subtractdark: scale_exposure=true, but the exposure of the {unknown} is not known; "
            "use a dark of the same exposure and scale_exposure=false"
        )
    return image.meta.exposure / dark.meta.exposure
