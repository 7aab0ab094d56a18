"""Where settings that are kept in files lie: the user's own, and those of a session beside its frames."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT = "FIRSTLIGHT_CONFIG"
BESIDE = "firstlight.toml"
"""In the folder of a session."""


def user_file() -> Path:
    """The user's own: ``FIRSTLIGHT_CONFIG``, or ``firstlight/config.toml`` in ``XDG_CONFIG_HOME`` (``~/.config``)."""
    given = os.environ.get(ENVIRONMENT)
    if given:
        return Path(given).expanduser()
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "firstlight" / "config.toml"


def files_for(session: Path | None) -> list[Path]:
    """Files that count for a session, in order of their weight: the last wins."""
    found = [user_file()]
    if session is not None:
        found.append((session if session.is_dir() else session.parent) / BESIDE)
    return [path for path in found if path.is_file()]
