"""Several steps, one after the other."""

from __future__ import annotations

from firstlight.model.image import Image
from firstlight.ops.spec import Step, parse_step


def apply(image: Image, *steps: str | Step) -> Image:
    """Apply steps (spec strings or `Step`) to an image, left to right; the input is not changed.

    Raises
    ------
    SpecError
        A step does not exist or has a wrong parameter; nothing has been computed then.
    """
    chain = [parse_step(each) if isinstance(each, str) else each for each in steps]
    for each in chain:
        image = each(image)
    return image
