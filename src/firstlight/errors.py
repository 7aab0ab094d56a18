"""Every exception firstlight raises.

::

    FirstlightError
    |-- InputError      the user can fix it: a file, a folder, a header, a request that cannot be met
    |   |-- SpecError   ... an operation, parameter or choice that does not exist or is out of bounds
    |   `-- EquipmentError  ... a camera, mount or other device that is not there, refuses, or does not answer
    |-- FrameError      one frame cannot be used; it is set aside with this reason and the run goes on
    `-- ContractError   a rule of the program was broken: our bug, please report it

Messages read *where: what was given; what is allowed; what to do*, the file's name first.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FirstlightError(Exception):
    """Base of all errors of firstlight."""


class InputError(FirstlightError):
    """Something the user gave cannot be used; the message says what would be."""


class SpecError(InputError):
    """An operation, parameter or choice that does not exist or is out of bounds."""


class EquipmentError(InputError):
    """A camera, mount, wheel, focuser or guider is not there, refuses, or does not answer in time."""


class FrameError(FirstlightError):
    """One frame cannot be used; it is set aside with this reason."""


class ContractError(FirstlightError):
    """A rule of the program itself was broken."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; did you mean X?"`` for the nearest of the known words, or nothing.

    >>> nearest("localgradent", ["localgradient", "polynomial"])
    '; did you mean localgradient?'
    >>> nearest("zzz", ["localgradient"])
    ''
    """
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
