"""Indexes in the cache: made once, whole or made again."""

from __future__ import annotations

import numpy as np

from firstlight.io.places import cache_folder
from firstlight.io.quad_cache import kept_index
from firstlight.model.quad_index import Level, QuadIndex


def small() -> QuadIndex:
    rng = np.random.default_rng(1)
    level = Level(
        0.01, -1.5, np.arange(3), np.arange(4), rng.normal(size=(5, 3)).astype(np.float32),
        np.arange(6, dtype=np.int32),
        rng.integers(0, 9, (4, 4)).astype(np.uint16), np.zeros((4, 4), np.int32), np.arange(5, dtype=np.int32),
    )  # fmt: skip
    return QuadIndex((level,), "made")


def test_an_index_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def make():
        calls.append(1)
        return small()

    first, second = kept_index("k", make), kept_index("k", make)
    assert len(calls) == 1
    assert second.source == "made"
    for name in ("vectors", "codes", "start"):
        assert (getattr(first.levels[0], name) == getattr(second.levels[0], name)).all()
    (cache_folder() / "quads" / "k-1" / "0-codes.npy").write_bytes(b"half")
    assert len(kept_index("k", make)) == 4
    assert len(calls) == 2


def test_without_a_place_for_it_it_is_made_for_the_run(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(kept_index("k", small)) == 4
