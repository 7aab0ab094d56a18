"""Kernels of a program that does not import Numba until something must be compiled."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from threading import RLock
from types import FunctionType
from typing import Any

from firstlight.kernels import kept
from firstlight.kernels.linked import Linker

_LOCK = RLock()
_WAKING: list[bool] = []


class Sleeping:
    """Something of Numba's that is made when Numba is needed."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._awake: Any = None

    def awake(self) -> Any:
        """What Numba makes of it. All that kernels know of one another is then awake too, as Numba expects it."""
        with _LOCK:
            if self._awake is None:
                self._awake = self._make()
                if not _WAKING:
                    _wake_all()
            return self._awake


class Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, word: str) -> Any:
        return getattr(importlib.import_module(self._name), word)


class SleepingKernel(Sleeping):
    """A kernel that runs as Numba compiled it earlier; Numba is imported for kinds of arguments without such code."""

    def __init__(self, function: FunctionType, make: Callable[[], Any], digest: Callable[[Path], str]) -> None:
        super().__init__(make)
        self.py_func = function
        self.__doc__ = function.__doc__
        self._digest = digest
        self._ready: dict[Any, Callable[..., Any]] = {}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if named:
            code = self.py_func.__code__
            arguments += tuple(named[name] for name in code.co_varnames[len(arguments) : code.co_argcount])
        kinds = tuple(map(kept.kind_of, arguments))
        run = self._ready.get(kinds)
        if run is None:
            with _LOCK:
                run = self._ready.get(kinds)
                if run is None:
                    run = self._ready[kinds] = self._load(kinds) or self.awake()
        return run(*arguments)

    def _load(self, kinds: tuple[Any, ...]) -> Callable[..., Any] | None:
        types = [kept.type_name(kind) for kind in kinds]
        linker = _linker()
        if linker is None or None in types:
            return None
        stamp = self._digest(Path(self.py_func.__code__.co_filename))
        try:
            code = kept.find(self.py_func, stamp, linker.version, linker.machine, types)  # type: ignore[arg-type]
            return None if code is None else linker.link(self.py_func, code)
        except Exception:
            # A file that is damaged, or not as Numba writes them today: Numba sees to it.
            return None


@lru_cache(maxsize=1)
def _linker() -> Linker | None:
    try:
        return Linker()
    except Exception:
        # Numba or llvmlite is not as it was when this was written.
        return None


def _wake_all() -> None:
    """Put what Numba makes in the place of all that sleeps in the modules of kernels."""
    _WAKING.append(True)
    try:
        for name, module in list(sys.modules.items()):
            if name.startswith("firstlight.kernels."):
                for word, value in list(vars(module).items()):
                    if isinstance(value, Sleeping):
                        setattr(module, word, value.awake())
    finally:
        _WAKING.pop()
