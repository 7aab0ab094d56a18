"""Compiled kernels as Numba keeps them on disk, read without Numba."""

from __future__ import annotations

import os
import pickle
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1, sha256
from io import BytesIO
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

_SCALARS: dict[type, str] = {int: "int64", float: "float64", bool: "bool", np.bool_: "bool", type(None): "none"} | {
    kind: kind.__name__
    for kind in (
        np.int8,
        np.int16,
        np.int32,
        np.int64,
        np.uint8,
        np.uint16,
        np.uint32,
        np.uint64,
        np.float32,
        np.float64,
    )
}
_ARRAYS = (np.ndarray, np.memmap)
_C_ORDER, _F_ORDER, _ALIGNED, _WRITEABLE = 0x1, 0x2, 0x100, 0x400
_LAYOUT = _C_ORDER | _F_ORDER | _ALIGNED | _WRITEABLE
_UNDEFINED, _SYMBOLS = 0, 2
"""In an ELF file: the section of symbols that lie elsewhere, the kind of a table of symbols."""


def kind_of(value: Any) -> Any:
    """What a compiled kernel must know of an argument; equal for arguments that the same code serves."""
    kind = type(value)
    if kind in _ARRAYS:
        return value.dtype, value.ndim, value.flags.num & _LAYOUT
    if kind is tuple:
        return tuple(map(kind_of, value))
    if kind is int and not -(2**63) <= value < 2**63:
        return "big"
    return kind


def type_name(kind: Any) -> str | None:
    """Numba's name of the type of an argument; None: only Numba knows.

    >>> type_name(kind_of(np.zeros((2, 3), np.float32)))
    'array(float32, 2d, C)'
    >>> type_name(kind_of((1, 2.0)))
    'Tuple(int64, float64)'
    """
    if isinstance(kind, type):
        return _SCALARS.get(kind)
    if not isinstance(kind, tuple) or not kind:
        return None
    if not isinstance(kind[0], np.dtype):
        names = [type_name(each) for each in kind]
        if None in names:
            return None
        alike = len(set(names)) == 1
        return f"UniTuple({names[0]} x {len(names)})" if alike else f"Tuple({', '.join(map(str, names))})"
    dtype, ndim, flags = kind
    name = _SCALARS.get(dtype.type)
    if name is None or not dtype.isnative or not flags & _ALIGNED:
        return None
    order = "C" if flags & _C_ORDER else "F" if flags & _F_ORDER else "A"
    return f"{'' if flags & _WRITEABLE else 'readonly '}array({name}, {ndim}d, {order})"


@dataclass(frozen=True)
class Environment:
    """What compiled code finds of Python's world: a module, and constants."""

    module: str
    constants: tuple[Any, ...]
    name: str


@dataclass(frozen=True)
class Code:
    """A kernel compiled for one kind of arguments."""

    object_file: bytes
    entry: str
    """Symbol of the function that Python calls."""
    environment: Environment
    others: tuple[Environment, ...]
    """Those of the kernels that were compiled into it."""

    @property
    def environments(self) -> tuple[Environment, ...]:
        return (self.environment, *self.others)


def find(function: FunctionType, stamp: str, version: str, machine: Sequence[str], types: Sequence[str]) -> Code | None:
    """The code of a kernel for arguments of these types, if it is kept.

    Parameters
    ----------
    function : function
        As it was before it was compiled.
    stamp : str
        Of its sources, as they are now.
    version : str
        Of Numba.
    machine : sequence
        Triple, name and features of the processor.
    types : sequence
        Numba's names of the types of the arguments.
    """
    code = function.__code__
    source = Path(code.co_filename)
    folder = cache_folder(source)
    base = f"{source.stem}.{function.__qualname__}-{code.co_firstlineno}.py{sys.version_info[0]}{sys.version_info[1]}"
    try:
        with (folder / f"{base}{sys.abiflags}.nbi").open("rb") as file:
            if _Reader(file).load() != version:
                return None
            kept_stamp, names = _Reader(file).load()
        hashes = (sha256(code.co_code).hexdigest(), sha256(b"").hexdigest())
        name = names.get((tuple(types), tuple(machine), hashes)) if kept_stamp == stamp else None
        return None if name is None else _code(_Reader(BytesIO((folder / name).read_bytes())).load())
    except FileNotFoundError:
        return None


def _code(kept: tuple[Any, ...]) -> Code | None:
    (_, form, data), descriptor, environment, _, in_python, lifted, _, at_start, others = kept
    name = descriptor.fields["mangled_name"]
    if form != "object" or in_python or lifted or at_start or not name.startswith("_ZN"):
        return None
    code = Code(data[0], f"_ZN7cpython{name[3:]}", environment, tuple(others))
    plain = all(isinstance(c, np.dtype | str | int | float | None) for e in code.environments for c in e.constants)
    return code if plain else None


class _Record:
    """Anything of Numba's that is written into its files, as what was written."""

    def __new__(cls, *args: Any, **named: Any) -> _Record:
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        # Of a class with slots: a pair, the second of them the slots.
        self.fields = state[1] if isinstance(state, tuple) else state


class _Reader(pickle.Unpickler):
    """Nothing that a file names is imported or called: a type becomes its name, all else records."""

    def find_class(self, module: str, name: str) -> Any:
        return _KNOWN.get((module, name), _Record)


_KNOWN = {
    ("numpy", "dtype"): np.dtype,
    ("numba.core.types.abstract", "_type_reconstructor"): lambda maker, given, state: state["name"],
    ("numba.core.environment", "_rebuild_env"): lambda module, constants, name: Environment(
        module, tuple(constants), name
    ),
}


def cache_folder(source: Path) -> Path:
    """Where Numba keeps what was compiled of a source file."""
    chosen = chosen_folder()
    if chosen is None:
        return source.parent / "__pycache__"
    return chosen / f"{source.parent.name}_{sha1(str(source.parent).encode()).hexdigest()}"


@lru_cache(maxsize=1)
def chosen_folder() -> Path | None:
    """The folder of the cache, if it does not lie beside the sources: as asked for, or that cannot be written."""
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    if os.access(Path(__file__).parent, os.W_OK):
        return None
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firstlight" / "numba"


def symbols(object_file: bytes) -> tuple[set[str], set[str]]:
    """Names that an object file (ELF, 64 bit, little-endian) defines, and those that it takes from elsewhere."""
    start, size, count = *struct.unpack_from("<Q", object_file, 0x28), *struct.unpack_from("<HH", object_file, 0x3A)
    sections = [struct.unpack_from("<IIQQQQI", object_file, start + size * k) for k in range(count)]
    inside, outside = set(), set()
    for _, kind, _, _, at, length, link in sections:
        if kind != _SYMBOLS:
            continue
        words = sections[link][4]
        for name, _, _, section, _, _ in struct.iter_unpack("<IBBHQQ", object_file[at : at + length]):
            if name:
                begin = words + name
                text = object_file[begin : object_file.index(b"\0", begin)].decode()
                (outside if section == _UNDEFINED else inside).add(text)
    return inside, outside
