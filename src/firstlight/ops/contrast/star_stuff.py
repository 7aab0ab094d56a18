"""Stars and small structure."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from firstlight.model.flags import EXCLUDED, has
from firstlight.model.image import Image
from firstlight.ops.contrast.background import background_of
from firstlight.ops.contrast.inpaint import whole_plane
from firstlight.ops.mosaic import refuse_mosaic
from firstlight.ops.registry import Params, Reach, operation
from firstlight.units import Px


class StarStuff(Params):
    size: Annotated[Px, Field(ge=4, le=1024)] = 32
    """What is narrower than this stays."""


@operation("extract:starstuff", reach=Reach.FRAME)
def extract_star_stuff(image: Image, p: StarStuff) -> Image:
    """Stars with all small structure: the picture less its background of a scale (``extract:background``).

    Flags, plate and unit: kept. Variance: dropped, for that of the background under a pixel hangs on what lies around
    it. Pixels without a number keep what they hold.

    Raises
    ------
    InputError
        On a CFA mosaic.

    >>> sky = np.full((64, 64), 10.0); sky[20:24, 20:24] = 99
    >>> small = extract_star_stuff(Image(sky), StarStuff(size=16)).data[0]
    >>> round(float(small[22, 22])), round(float(np.median(small)))
    (89, 0)
    """
    refuse_mosaic("extract:starstuff", image)
    data = np.empty_like(image.data)
    for channel, plane in enumerate(image.data):
        filled, _ = whole_plane(plane, image.flags[channel])
        data[channel] = plane - background_of(filled, p.size)
        unknown = has(image.flags[channel], EXCLUDED)
        data[channel][unknown] = plane[unknown]
    return image.replace(data=data, variance=None)
