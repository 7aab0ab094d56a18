"""Memory that is used again, each thread its own."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from firstlight.model.buffers import ALIGNED, Buffers


def test_the_same_memory_comes_back_and_grows_when_asked():
    buffers = Buffers()
    first = buffers.own("cube", (3, 50))
    again = buffers.own("cube", (50, 2), np.uint16)
    assert np.shares_memory(first, again)
    assert again.dtype == np.uint16
    assert first.ctypes.data % ALIGNED == 0
    larger = buffers.own("cube", (30, 500))
    assert larger.shape == (30, 500)
    assert larger.dtype == np.float32
    assert not np.shares_memory(larger, buffers.own("plane", (30, 500)))


def test_threads_share_nothing():
    buffers = Buffers()
    mine = buffers.own("cube", (100,))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(buffers.own, "cube", (100,)).result()
    assert not np.shares_memory(mine, other)
