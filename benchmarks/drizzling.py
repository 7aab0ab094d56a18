"""Drizzle beside the reference implementation, that of the Space Telescope Science Institute."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import drizzle.resample as stsci
import numpy as np

from firstlight.model.registration import Transform
from firstlight.ops.stack.drizzle import Canvas, Drizzle


def jobs(plane: np.ndarray) -> Iterator[tuple[str, dict[str, Callable[[], np.ndarray]]]]:
    """Pixels and their variances onto a grid of twice the scale; what is counted are pixels of the frame."""
    places = np.moveaxis(np.mgrid[: plane.shape[0], : plane.shape[1]][::-1], 0, 2).reshape(-1, 2)
    size = 2 * plane.shape[0], 2 * plane.shape[1]
    for degrees in (0.0, 0.2):
        c, s = 2 * np.cos(np.radians(degrees)), 2 * np.sin(np.radians(degrees))
        forward = Transform(np.array([[c, -s, 3.3], [s, c, 7.6], [0, 0, 1]]))

        def ours(forward: Transform = forward) -> np.ndarray:
            canvas = Canvas(1, (0, size[0], 0, size[1]), Drizzle(scale=2))
            canvas.add(plane, forward, variances=plane)
            return canvas.finish().mean[0]

        def theirs(forward: Transform = forward) -> np.ndarray:
            out = stsci.Drizzle(out_shape=size, out_img2=[np.zeros(size, np.float32)], disable_ctx=True)
            out.add_image(plane, 1.0, forward(places).reshape(*plane.shape, 2), data2=[plane])
            return np.nan_to_num(out.out_img)

        yield f"drizzle 2x, {degrees:g} degrees", {"firstlight, square": ours, "STScI drizzle, square": theirs}
