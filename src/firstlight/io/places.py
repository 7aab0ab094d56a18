"""Where what outlives a session is kept."""

from __future__ import annotations

import os
from pathlib import Path


def user_folder() -> Path:
    """Folder of this user's calibration library and detector profiles; it need not exist yet.

    ``FIRSTLIGHT_HOME``, else ``firstlight`` in ``XDG_DATA_HOME``, else in ``~/.local/share``.
    """
    given = os.environ.get("FIRSTLIGHT_HOME")
    if given:
        return Path(given).expanduser()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "firstlight"


def cache_folder() -> Path:
    """Folder of what can be made again: ``firstlight`` in ``XDG_CACHE_HOME``, else in ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "firstlight"
