"""Names of targets."""

from __future__ import annotations

import re

_WORDS = re.compile(
    r"[\s_,;-]*[(\[]?(?:(?:panel|pane|tile|mosaic|segment|pnl)[\s_#.-]*\d*(?:[\s_]*[-x_][\s_]*\d+)?"
    r"|p\d+(?:[-x_]\d+)?|r\d+[\s_-]?c\d+|\d+[-x]\d+)[)\]]?$",
    re.IGNORECASE,
)


def without_panel(target: str) -> str:
    """The target's name without that of the panel.

    >>> [without_panel(t) for t in ("M31 Panel 2", "NGC 7000_P1", "M 31_1-2", "Veil r2c1", "NGC 7000", "M31 mosaic")]
    ['M31', 'NGC 7000', 'M 31', 'Veil', 'NGC 7000', 'M31']
    """
    return _WORDS.sub("", target) or target
