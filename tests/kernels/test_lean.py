"""What a program of ours leaves out when it starts, and a session of others keeps."""

import subprocess
import sys

PROGRAM = """
import sys
from firstlight.kernels.lean import be_program
{start}
import numpy as np
from firstlight.kernels.calibrate import swap_uint32
out = np.empty((1, 1), np.uint32)
swap_uint32(np.array([[0x01020304]], np.uint32), out)
print(hex(out[0, 0]), "scipy.linalg" in sys.modules, "scipy.linalg.cython_blas" in sys.modules)
import scipy.linalg.cython_blas
"""


def said(start):
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(start=start)], capture_output=True, text=True, check=True
    )
    return run.stdout.split()


def test_a_program_does_not_look_for_blas():
    assert said("be_program()") == ["0x4030201", "False", "False"]


def test_others_keep_it():
    assert said("") == ["0x4030201", "True", "True"]
