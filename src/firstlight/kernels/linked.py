"""Compiled kernels made callable without Numba's compiler: LLVM links them, three small libraries of Numba run them."""

from __future__ import annotations

import builtins
import ctypes
import importlib.util
import json
import os
import sys
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from firstlight.kernels.kept import Code, Environment, symbols

ALLOWED = frozenset({"NUMBA_CACHE_DIR"})
"""Settings of Numba's under which kernels are what they are without; under others Numba must see to them itself."""


def can_link() -> bool:
    """Whether this is a system, and Numba is set up, as this was tried with."""
    return (
        sys.platform == "linux"
        and sys.maxsize > 2**32
        and sys.byteorder == "little"
        and not any(name.startswith("NUMBA_") and name not in ALLOWED for name in os.environ)
        and not Path(".numba_config.yaml").exists()
        and "numba" not in sys.modules
    )


class Linker:
    """What compiled kernels are put into, one for the process. To make it fails where Numba is not as it was known."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        self._llvm = llvm
        self.version = numba_version()
        self.machine = (
            llvm.get_process_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(),
        )  # fmt: skip
        self._functions = _extension("_dynfunc")
        memory = _extension("core/runtime/_nrt_python")
        memory.memsys_use_cpython_allocator()
        helpers = _extension("_helperlib").c_helpers
        self._known = {**helpers, "_Py_NoneStruct": id(None)}
        self._known |= {f"numba_{name}": at for h in (helpers, self._functions.c_helpers) for name, at in h.items()}
        self._known |= {name if name[0] == "_" else f"NRT_{name}": at for name, at in memory.c_helpers.items()}
        self._known |= {
            f"PyExc_{name}": id(kind)
            for name, kind in vars(builtins).items()
            if isinstance(kind, type) and issubclass(kind, BaseException)
        }
        self._environments: dict[str, Any] = {}
        self._engine = self._make_engine()

    def _make_engine(self) -> Any:
        llvm = self._llvm
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_triple(self.machine[0]).create_target_machine(
            cpu=self.machine[1], features=self.machine[2], reloc="static", codemodel="jitdefault", jit=True
        )
        return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)

    def link(self, function: FunctionType, code: Code) -> Any:
        """The function that Python calls; None if the code needs what is not there."""
        inside, outside = symbols(code.object_file)
        if not inside.issuperset({code.entry, *(each.name for each in code.environments)}):
            return None
        for name in outside:
            if name in self._known:
                self._llvm.add_symbol(name, self._known[name])
            elif not self._llvm.address_of_symbol(name):
                return None
        self._engine.add_object_file(self._llvm.object_file.ObjectFileRef.from_data(code.object_file))
        self._engine.finalize_object()
        for each in code.environments:
            at = self._engine.get_global_value_address(each.name)
            ctypes.c_void_p.from_address(at).value = id(self._environment(each))
        return self._functions.make_function(
            sys.modules[function.__module__],
            function.__name__,
            function.__doc__ or "",
            self._engine.get_function_address(code.entry),
            self._environment(code.environment),
            (self,),
        )

    def _environment(self, wanted: Environment) -> Any:
        if wanted.name not in self._environments:
            # The module is asked only by code that works with Python's objects, as no kernel does.
            made = self._functions.Environment(vars(sys.modules.get(wanted.module, sys)))
            made.consts[:] = wanted.constants
            self._environments[wanted.name] = made
        return self._environments[wanted.name]


@lru_cache(maxsize=1)
def _numba_folder() -> Path:
    found = importlib.util.find_spec("numba")
    if found is None or found.origin is None:
        raise OSError("numba is not installed")
    return Path(found.origin).parent


def numba_version() -> str:
    """Of Numba, from the file that tells it."""
    text = (_numba_folder() / "_version.py").read_text(encoding="utf-8")
    return json.loads(text.split("'''")[1])["version"]


def _extension(name: str) -> ModuleType:
    """A library of Numba's, without the package around it."""
    path = next(p for suffix in EXTENSION_SUFFIXES if (p := _numba_folder() / f"{name}{suffix}").is_file())
    full = f"numba.{name.replace('/', '.')}"
    loader = ExtensionFileLoader(full, str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(full, path, loader=loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module
