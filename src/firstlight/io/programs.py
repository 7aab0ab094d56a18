"""Programs of others: found on the PATH, run in a folder of their own, ended in time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from firstlight.errors import FrameError, InputError

TOLD = 3
"""Lines of what a program said last that an error repeats."""


@dataclass(frozen=True)
class Program:
    """A program that may be installed."""

    names: tuple[str, ...]
    """What it is called, by system; the first that is found is run."""
    package: str
    """The Debian package that brings it."""

    def find(self) -> Path | None:
        """Where it is, or None."""
        return next((Path(found) for name in self.names if (found := shutil.which(name))), None)

    def path(self, use: str) -> Path:
        """Where it is.

        Raises
        ------
        InputError
            It is not installed; ``use`` says what it was wanted for.
        """
        found = self.find()
        if found is None:
            raise InputError(
                f"{use}: the program {self.names[0]} is not installed (looked for {', '.join(self.names)} on the "
                f"PATH); on Debian and Ubuntu: apt-get install {self.package}"
            )
        return found


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    code: int
    said: str
    """What it wrote to standard output and error."""

    @property
    def last_words(self) -> str:
        """The last lines that say something."""
        lines = [line.strip() for line in self.said.replace("\r", "\n").splitlines() if line.strip()]
        return " / ".join(lines[-TOLD:])


def run_program(
    arguments: Sequence[str | os.PathLike[str]],
    folder: Path,
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a program with these arguments (never through a shell) in ``folder``; all that it started ends with it.

    Raises
    ------
    FrameError
        It did not end in time.

    >>> import sys, tempfile
    >>> run_program([sys.executable, "-c", "print(6 * 7)"], Path(tempfile.gettempdir()), seconds=60).said
    '42\\n'
    """
    words = [os.fspath(word) for word in arguments]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=None if environment is None else {**os.environ, **environment},
        )  # fmt: skip
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise FrameError(f"{Path(words[0]).name}: not done after {seconds:g} s, ended") from None
        finally:
            _end(process)
        log.seek(0)
        said = log.read().decode("utf-8", "replace")
    return Ran(code, said)


def _end(process: subprocess.Popen[bytes]) -> None:
    # The whole group: solve-field and others start further programs, which would go on.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def private_folder(keep: Path | None = None) -> Iterator[Path]:
    """A folder for a program's files: ``keep``, which stays, or a temporary one, which does not."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        yield Path(folder).resolve()
