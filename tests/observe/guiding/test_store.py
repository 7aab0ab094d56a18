"""Calibrations that are kept."""

from __future__ import annotations

import pytest

from firstlight.errors import InputError
from firstlight.observe.guiding.axes import Calibration
from firstlight.observe.guiding.store import CalibrationStore, equipment_key

ONE = Calibration((4.0, 0.5), (-0.5, 4.0), 31.0, "east", 0.1, 2.9, (0.01, -0.02), (0.7, 0.6), 0.3, 1.93, "2026-01-01")


def test_all_of_it_comes_back(tmp_path):
    store = CalibrationStore(tmp_path / "a" / "guiding.json")
    store.put("one", ONE)
    store.put("two", Calibration((1.0, 0.0), (0.0, 1.0)))
    assert CalibrationStore(store.path).get("one") == ONE
    assert store.get("three") is None


@pytest.mark.parametrize("text", ["{", "[]", '{"one": {"east": [1, 2]}}', '{"one": 3}'])
def test_a_damaged_file_is_told(tmp_path, text):
    path = tmp_path / "guiding.json"
    path.write_text(text)
    with pytest.raises(InputError, match="remove it"):
        CalibrationStore(path).get("one")


def test_other_equipment_has_another_name():
    names = {
        equipment_key("EQ6", "ASI120", 240.0, 0.5),
        equipment_key("EQ6", "ASI120", 400.0, 0.5),
        equipment_key("EQ6", "ASI120", 240.0, 0.9),
        equipment_key("EQ6", "ASI290", 240.0, 0.5),
        equipment_key("EQ6", "ASI120", 240.0, 0.5, binning=2),
        equipment_key("EQ6", "ASI120", None, None),
    }
    assert len(names) == 6
