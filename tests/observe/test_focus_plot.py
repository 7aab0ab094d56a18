"""The plot is a picture of the curve."""

from __future__ import annotations

from firstlight.observe.focus import FocusPlan, autofocus
from firstlight.observe.focus_plot import draw_focus
from firstlight.observe.frames import Session
from firstlight.observe.simulated import Optics
from simulated_rig import Rig


def test_it_is_drawn(tmp_path):
    rig = Rig(optics=Optics(size=(300, 400)), best={"L": 30300.0})
    found = autofocus(rig.equipment(), Session(tmp_path), FocusPlan(step=200))
    assert draw_focus(found, tmp_path / "focus.png").stat().st_size > 10_000
