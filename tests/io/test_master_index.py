import os
import sqlite3

import numpy as np
import pytest

import firstlight.io.master_index as module
from firstlight.io.master_index import MasterIndex
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        meta = Meta(kind=Kind.MASTER_DARK, camera="A", exposure=10.0 * i, n_combined=5)
        write(
            tmp_path / f"{i}.fits", Image(np.full((4, 5), 7.0), meta=meta), provenance={"inputs": [i], "kind": "dark"}
        )
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    paths = []
    real = module._open
    monkeypatch.setattr(module, "_open", lambda path: paths.append(path.name) or real(path))
    return paths


def test_files_are_opened_once(folder, opened):
    index = MasterIndex(folder / "x.sqlite")
    paths = sorted(folder.glob("*.fits"))
    first = index.look(paths)
    again = MasterIndex(folder / "x.sqlite").look(paths)
    assert opened == ["0.fits", "1.fits", "2.fits"]
    assert [s.record for s in again] == [s.record for s in first] == [{"inputs": [i], "kind": "dark"} for i in range(3)]
    assert [s.frame.meta for s in again] == [s.frame.meta for s in first]


def test_a_changed_file_is_opened_again_and_a_lost_one_forgotten(folder, opened):
    index = MasterIndex(folder / "x.sqlite")
    paths = sorted(folder.glob("*.fits"))
    index.look(paths)
    os.utime(paths[1], ns=(1, 1))
    paths[2].unlink()
    assert len(index.look(paths)) == 2
    assert opened[3:] == ["1.fits"]
    index.look(paths[:2])
    with sqlite3.connect(folder / "x.sqlite") as base:
        assert base.execute("SELECT count(*) FROM masters").fetchone() == (2,)
    base.close()


@pytest.mark.parametrize("content", [b"", b"garbage" * 999])
def test_a_damaged_index_is_made_again(folder, opened, content):
    index = MasterIndex(folder / "x.sqlite")
    paths = sorted(folder.glob("*.fits"))
    index.look(paths)
    (folder / "x.sqlite").write_bytes(content)
    assert all(s.frame is not None for s in index.look(paths))
    index.look(paths)
    assert len(opened) == 6


def test_any_damaged_byte_of_the_index_gives_the_truth_or_is_read_anew(folder):
    paths = sorted(folder.glob("*.fits"))
    index = MasterIndex(folder / "x.sqlite")
    truth = [(s.frame.meta.exposure, s.record["inputs"]) for s in index.look(paths)]
    whole = (folder / "x.sqlite").read_bytes()
    rng = np.random.default_rng(4)
    for place in rng.integers(0, len(whole), 60):
        content = bytearray(whole)
        content[place : place + 40] = rng.bytes(min(40, len(whole) - place))
        (folder / "x.sqlite").write_bytes(content)
        assert [(s.frame.meta.exposure, s.record["inputs"]) for s in index.look(paths)] == truth


def test_a_folder_that_cannot_be_written_to_is_only_slower(folder, opened):
    (folder / "file").write_text("")
    index = MasterIndex(folder / "file" / "x.sqlite")
    paths = sorted(folder.glob("*.fits"))
    assert len(index.look(paths)) == len(index.look(paths)) == 3
    assert len(opened) == 6
