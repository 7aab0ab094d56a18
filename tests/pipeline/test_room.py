from types import SimpleNamespace

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.pipeline import room
from firstlight.pipeline.plan import plan
from firstlight.pipeline.settings import Settings
from firstlight.simulate.night import simulate
from firstlight.simulate.settings import preset
from memory_frame import memory_frame


def test_packed_frames_take_scratch():
    packed = memory_frame("a", np.zeros((3, 10, 20), np.uint16)).replace(seekable=False)
    assert room.scratch_bytes([packed, packed]) == 2 * 2 * 600
    assert room.scratch_bytes([packed.replace(seekable=True)]) == 0


def test_the_folder_need_not_exist(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: seen.append(path) or SimpleNamespace(free=3_000_000))
    room.check_room(tmp_path / "a" / "b", 2_000_000, "it needs", "go")
    assert seen == [tmp_path]
    with pytest.raises(InputError, match="3 MB free; it needs about 4 MB; make room, or go"):
        room.check_room(tmp_path / "a" / "b", 4_000_000, "it needs", "go")


def test_products_are_as_large_as_foretold(tmp_path):
    from firstlight.pipeline.process import process

    simulate(tmp_path / "night", preset("tiny").model_copy(update={"n_lights": 3}))
    for output in ({"pictures": False}, {"rejection_maps": True}):
        settings = Settings(output=output)
        foretold = plan(tmp_path / "night", settings, output=tmp_path / "p").disk_bytes
        process(tmp_path / "night", settings, output=tmp_path / "run", again=True)
        taken = sum(path.stat().st_size for path in (tmp_path / "run").rglob("*") if path.is_file())
        # Headers and tables of so small a night weigh more than usual.
        assert taken - 400_000 < foretold < 1.3 * taken
