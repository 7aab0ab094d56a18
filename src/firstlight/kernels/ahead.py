"""Samples of many frames brought into the cache while others are worked on.

Sixty frames are more streams than a processor follows by itself, and it waits for only some sixteen lines of memory at
once: it must always be waiting, whatever it computes meanwhile. So the frames are asked for one after the other, in
runs, as memory likes them, a few runs between one piece of work and the next.
"""

from __future__ import annotations

from firstlight.kernels.columns import fetch_run
from firstlight.kernels.jit import inner_kernel

RUN = 512
"""Samples that are asked for of one frame before the next one."""
FARTHEST = 2**18
"""Samples of all frames together that may wait in the second cache."""
PLACE, FRAME, MOST = range(3)
"""Parts of what tells how far ahead frames have been asked for: where in them, which frame is next, and the end."""


@inner_kernel
def ask(bits, starts, ahead, runs):
    """Ask for the next ``runs``; ``bits`` and ``starts`` are those of `firstlight.kernels.combine`."""
    at, frame = ahead[PLACE], ahead[FRAME]
    for _ in range(runs):
        if at >= ahead[MOST]:
            break
        fetch_run(bits, starts[frame] + at, RUN)
        frame += 1
        if frame == starts.shape[0]:
            frame = 0
            at += RUN
    ahead[PLACE] = at
    ahead[FRAME] = frame
