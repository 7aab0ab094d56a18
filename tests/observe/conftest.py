"""What holds for tests of observing."""

from __future__ import annotations

import pytest

from firstlight.observe import indi


@pytest.fixture(autouse=True)
def drivers_that_tell_all_at_once(monkeypatch, request):
    """Our own server defines its properties without pauses."""
    if not request.node.get_closest_marker("slow") and "late" not in request.node.name:
        monkeypatch.setattr(indi, "QUIET", 0.05)
