"""What a command answers, as text or as JSON; and a log of it. Every command has the options that are made here."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import io
import json
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, TextIO

import click

from firstlight import __version__

HEADING = "Every command"


class _Shared(click.Option):
    heading = HEADING


class Answer:
    """What the command that runs has to say."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error = ""
        self.tables: list[list[dict[str, str]]] = []
        self.as_json = False
        self._log: _Log | None = None
        self._real: tuple[TextIO, TextIO] | None = None
        self._words = io.StringIO()
        self._handlers: list[logging.Handler] = []
        self._began = time.monotonic()

    def be_json(self) -> None:
        """From now on text is kept, and comes as one object at the end."""
        if not self.as_json:
            self.as_json = True
            self._keep_streams()
            sys.stdout = self._words if self._log is None else _Tee(self._words, self._log)

    def log_to(self, path: str, command: str) -> None:
        """From now on all that is said is written to a file too, after what it holds already."""
        from firstlight.errors import InputError

        try:
            Path(path).expanduser().parent.mkdir(parents=True, exist_ok=True)
            self._log = _Log(Path(path).expanduser().open("a", encoding="utf-8"), path)
        except OSError as error:
            raise InputError(f"--log {path}: cannot be written: {(error.strerror or str(error)).lower()}") from None
        self._log.write(f"{_now()} firstlight {__version__}: {command}\n")
        self._keep_streams()
        sys.stdout, sys.stderr = _Tee(sys.stdout, self._log), _Tee(sys.stderr, self._log)
        self.listen(logging.StreamHandler(self._log), logging.DEBUG)

    def listen(self, handler: logging.Handler, level: int) -> None:
        """Let what the program notes of its steps reach a handler."""
        handler.setFormatter(_Stamped("%(asctime)s %(message)s"))
        handler.setLevel(level)
        logger = logging.getLogger("firstlight")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        self._handlers.append(handler)

    def _keep_streams(self) -> None:
        if self._real is None:
            self._real = (sys.stdout, sys.stderr)

    def end(self, code: int, command: str) -> None:
        """Print the object, where one is wanted, and give everything back."""
        for handler in self._handlers:
            logging.getLogger("firstlight").removeHandler(handler)
        if self._real is not None:
            sys.stdout, sys.stderr = self._real
        if self.as_json:
            answer = {"command": command, "exit_code": code, "result": plain(self.result)}
            answer |= {"error": self.error} if self.error else {}
            answer |= {"tables": self.tables} if self.tables else {}
            answer["text"] = self._words.getvalue().splitlines()
            click.echo(json.dumps(answer, ensure_ascii=False, allow_nan=False))
        if self._log is not None:
            spent = time.monotonic() - self._began
            self._log.write(f"{_now()} ended with {code} after {spent:.1f} s\n")
            self._log.close()


class _Stamped(logging.Formatter):
    converter = time.gmtime
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class _Log:
    """A log, which must not end the work that it tells of: where its disk is full, it ends instead, and says so."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file, self._name, self._real = file, name, sys.stderr

    def write(self, text: str) -> int:
        self._try(lambda: (self._file.write(text), self._file.flush()))
        return len(text)

    def flush(self) -> None:
        """Every line is on its way already."""

    def close(self) -> None:
        self._try(self._file.close)

    def _try(self, act: Callable[[], Any]) -> None:
        if self._file.closed:
            return
        try:
            act()
        except OSError as error:
            # Closing writes what is left, and fails likewise; the second time there is nothing left.
            with contextlib.suppress(OSError):
                self._file.close()
            print(f"--log {self._name}: ends here: {(error.strerror or str(error)).lower()}", file=self._real)


class _Tee:
    """A stream whose lines a log holds too."""

    def __init__(self, stream: Any, log: _Log) -> None:
        self._stream, self._log = stream, log

    def write(self, text: str) -> int:
        self._log.write(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


_CURRENT = [Answer()]


def current() -> Answer:
    """The answer of the command that runs."""
    return _CURRENT[-1]


def tell(result: Any, text: str) -> None:
    """Say the text; with ``--json`` the result is what counts."""
    current().result = result
    click.echo(text)


def answered(run: Callable[[], Any], arguments: Sequence[str], report: Callable[[Callable[[], Any]], int]) -> int:
    """Run a command, say what it answers, and return its exit code."""
    answer = Answer()
    _CURRENT.append(answer)
    code = 1

    def keep() -> Any:
        value = run()
        if value is not None and not isinstance(value, int) and answer.result is None:
            answer.result = value
        return value

    try:
        code = report(keep)
    finally:
        _CURRENT.pop()
        # What cannot be parsed is told before the option is seen.
        answer.as_json |= bool(answer.error) and "--json" in arguments
        answer.end(code, " ".join(arguments[:1]))
    return code


def plain(value: Any) -> Any:
    """Anything as what JSON can hold: records by their ``as_record``, arrays as lists or, if large, their size."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "as_record"):
        return plain(value.as_record())
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return (
            plain(value.tolist()) if value.size <= LARGEST else {"shape": list(value.shape), "dtype": str(value.dtype)}
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if not f.name.startswith("_")}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    return str(value)


LARGEST = 10_000
"""Numbers of an array that are listed."""


def _json(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        current().be_json()


def _log(context: click.Context, parameter: click.Parameter, path: str | None) -> None:
    if path and not context.resilient_parsing:
        current().log_to(path, " ".join(sys.argv[1:]))


def _verbose(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        current().listen(logging.StreamHandler(sys.stderr), logging.DEBUG)


def equipped(command: click.Command) -> click.Command:
    """The command with ``--json``, ``--log`` and ``--verbose``; one of these that it has of its own stays."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            equipped(each)
        return command
    taken = {flag for parameter in command.params for flag in parameter.opts}
    shared = [
        _Shared(["--log"], metavar="FILE", expose_value=False, is_eager=True, callback=_log,
                help="Write all that is said, and each step, to this file too."),
        _Shared(["--verbose"], is_flag=True, expose_value=False, is_eager=True, callback=_verbose,
                help="Tell each step as it is finished, or stands."),
        _Shared(["--json"], is_flag=True, expose_value=False, is_eager=True, callback=_json,
                help="Answer with one JSON object on the standard output."),
    ]  # fmt: skip
    command.params += [option for option in shared if not taken & set(option.opts)]
    return command
