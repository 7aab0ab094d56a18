"""Numba's cache read without Numba: the same names of types, the code that was compiled, and nothing is called."""

import io
import os
import pickle
from pathlib import Path

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

from firstlight.kernels import few, kept
from firstlight.kernels.jit import source_digest
from firstlight.kernels.linked import numba_version

ARRAY = np.zeros((4, 6), np.float32)
LOCKED = ARRAY.copy()
LOCKED.flags.writeable = False
KNOWN = [
    1, -(2**40), 2.5, True, None, np.float32(1), np.int8(1), np.uint64(1), np.bool_(True), (1, 2), (1, 2.0), (1,),
    ((1, 2), ARRAY), ARRAY, ARRAY.T, ARRAY[:, ::2], ARRAY[0], ARRAY[:1, :1], LOCKED, ARRAY > 0,
    np.zeros((2, 2, 2), np.uint16), np.zeros(0), np.zeros((), np.int64),
]  # fmt: skip
UNKNOWN = [2**63, 1j, "word", [1], ARRAY.astype(">f4"), np.zeros(2, "i4,f4"), np.ma.masked_array(ARRAY), ()]


@pytest.mark.parametrize("value", KNOWN, ids=repr)
def test_types_have_the_names_that_numba_gives_them(value):
    assert kept.type_name(kept.kind_of(value)) == numba.typeof(value).name


@pytest.mark.parametrize("value", UNKNOWN, ids=repr)
def test_other_types_are_left_to_numba(value):
    assert kept.type_name(kept.kind_of(value)) is None


def test_a_mapped_file_is_an_array(tmp_path):
    mapped = np.memmap(tmp_path / "a", np.float32, "w+", shape=(2, 2))
    assert kept.type_name(kept.kind_of(mapped)) == numba.typeof(mapped).name == "array(float32, 2d, C)"


@pytest.fixture(scope="module")
def asked():
    """What a kernel that is compiled now is found by."""
    arguments = (np.linspace(0, 1, 5, dtype=np.float32), 5)
    few.median_of(*arguments)
    function = few.median_of.py_func
    machine = (llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten())
    stamp = source_digest(Path(function.__code__.co_filename))
    return [function, stamp, numba_version(), machine, [kept.type_name(kept.kind_of(a)) for a in arguments]]


def test_code_is_found(asked):
    assert numba_version() == numba.__version__
    code = kept.find(*asked)
    inside, outside = kept.symbols(code.object_file)
    assert {code.entry, code.environment.name} <= inside
    assert "PyArg_UnpackTuple" in outside
    assert code.environment.module == "firstlight.kernels.few"


@pytest.mark.parametrize(
    ("place", "other"), [(1, "0" * 64), (2, "0.1"), (3, ("a", "b", "c")), (4, ["array(float64, 1d, C)"])]
)
def test_code_of_other_sources_versions_machines_and_types_is_not(asked, place, other):
    assert kept.find(*[other if n == place else each for n, each in enumerate(asked)]) is None


def test_nothing_that_a_file_names_is_called(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    record = kept._Reader(io.BytesIO(pickle.dumps(Trap()))).load()
    assert type(record).__name__ == "_Record"
    assert not (tmp_path / "made").exists()
