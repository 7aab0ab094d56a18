"""A program that runs kernels without Numba, and wakes it where it must: the same bits either way."""

import os
import subprocess
import sys

import numpy as np

from firstlight.kernels.few import median_of

START = """
import sys, threading
import numpy as np
from firstlight.kernels.lean import be_program
be_program()
from firstlight.kernels.few import median_of, neighbours_in_order
values = np.random.default_rng(1).normal(0, 1, 99).astype(np.float32)
"""


def said(program, **environment):
    run = subprocess.run(
        [sys.executable, "-c", START + program], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def expected():
    values = np.random.default_rng(1).normal(0, 1, 99).astype(np.float32)
    return str(median_of(values, 99))


def test_compiled_kernels_run_without_numba():
    assert said("print(median_of(values, 99), 'numba' in sys.modules)") == [expected(), "False"]
    assert said("print(median_of(values, n=99), 'numba' in sys.modules)") == [expected(), "False"]


def test_numba_compiles_what_nobody_compiled_before(tmp_path):
    program = "print(median_of(values, 99), 'numba' in sys.modules)"
    found = expected()
    assert said(program, NUMBA_CACHE_DIR=str(tmp_path)) == [found, "True"]
    # Kept, and found there.
    assert said(program, NUMBA_CACHE_DIR=str(tmp_path)) == [found, "False"]


def test_numba_wakes_beside_kernels_that_run_already(tmp_path):
    program = """
a = median_of(values, 99)
b = median_of(values.astype(np.int16), 99)
from firstlight.kernels.few import _rank
print(a, type(b).__name__, 'numba' in sys.modules, type(_rank).__name__, median_of(values, 99) == a)
"""
    said("median_of(values, 99)", NUMBA_CACHE_DIR=str(tmp_path))
    assert said(program, NUMBA_CACHE_DIR=str(tmp_path)) == [expected(), "float", "True", "CPUDispatcher", "True"]


def test_files_that_are_not_as_expected_are_left_to_numba():
    program = """
from firstlight.kernels import kept
def broken(*asked): raise EOFError
kept.find = broken
print(median_of(values, 99), 'numba' in sys.modules)
"""
    assert said(program) == [expected(), "True"]


def test_settings_of_numba_count():
    assert said("print(median_of(values, 99), 'numba' in sys.modules)", NUMBA_DISABLE_JIT="1")[1] == "True"


def test_many_threads_may_ask_at_once():
    program = """
found = []
threads = [threading.Thread(target=lambda: found.append(median_of(values, 99))) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
print(set(found) == {median_of(values, 99)}, len(found), 'numba' in sys.modules)
"""
    expected()
    assert said(program) == ["True", "8", "False"]


def test_what_kernels_are_made_of_wakes_with_them():
    program = """
from firstlight.kernels import lanes
before = type(lanes.lowest).__name__
median_of.awake()
print(before, type(lanes.lowest).__name__, lanes.types.float32)
"""
    assert said(program) == ["Sleeping", "_Intrinsic", "float32"]
