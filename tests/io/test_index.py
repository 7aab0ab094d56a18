"""The index of headers: the same frames again, read anew only where a file changed, never trusted when damaged."""

from __future__ import annotations

import os
import pickle
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import pytest

from firstlight.io import index as index_module
from firstlight.io.fits_writer import write_raw_fits
from firstlight.io.frame import Frame
from firstlight.io.index import Index
from firstlight.io.read import find_files, open_frames


def same(a: Frame, b: Frame) -> None:
    for field in fields(Frame):
        assert getattr(a, field.name) == getattr(b, field.name), field.name


@pytest.fixture
def folder(tmp_path):
    for n in range(5):
        write_raw_fits(
            tmp_path / f"{n}.fits", np.full((6, 7), n, np.uint16), [("EXPTIME", float(n), ""), ("OBJECT", "M 1", "")]
        )
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = T")
    return tmp_path


@pytest.fixture
def opened(monkeypatch):
    names = []

    def counted(path):
        names.append(path.name)
        return open_frames(path)

    monkeypatch.setattr(index_module, "open_frames", counted)
    return names


def test_the_second_time_nothing_is_read(folder, opened):
    index = Index(folder / "run" / "index.sqlite")
    paths = find_files(folder)
    steps = []
    first, broken = index.open_all(paths, progress=lambda done, of: steps.append((done, of)))
    assert steps[-1] == (6, 6)
    assert len(first) == 5
    assert [(path.name, reason[:12]) for path, reason in broken] == [("broken.fits", "broken.fits:")]
    opened.clear()
    second, broken = index.open_all(paths)
    assert opened == ["broken.fits"]
    assert len(broken) == 1
    for a, b in zip(first, second, strict=True):
        same(a, b)
        np.testing.assert_array_equal(a.rows(0, 6), b.rows(0, 6))


def test_a_changed_file_is_read_anew(folder, opened):
    index = Index(folder / "index.sqlite")
    paths = [folder / f"{n}.fits" for n in range(5)]
    index.open_all(paths)
    opened.clear()
    write_raw_fits(paths[3], np.zeros((6, 7), np.uint16), [("EXPTIME", 99.0, "")])
    os.utime(paths[3], ns=(1, 1))
    frames, _ = index.open_all(paths)
    assert opened == ["3.fits"]
    assert frames[3].meta.exposure == 99.0


@pytest.mark.parametrize("damage", [b"nonsense" * 500, b""])
def test_a_damaged_index_is_made_anew(folder, opened, damage):
    index = Index(folder / "index.sqlite")
    paths = [folder / f"{n}.fits" for n in range(5)]
    index.open_all(paths)
    index.path.write_bytes(damage)
    opened.clear()
    frames, _ = index.open_all(paths)
    assert len(frames) == len(opened) == 5
    opened.clear()
    index.open_all(paths)
    assert opened == []


def test_nonsense_in_an_entry_and_another_version(folder, opened):
    index = Index(folder / "index.sqlite")
    paths = [folder / "1.fits"]
    index.open_all(paths)
    with sqlite3.connect(index.path) as base:
        base.execute("UPDATE headers SET frames = '[{}]'")
    base.close()
    assert index.open_all(paths)[0][0].meta.exposure == 1.0
    with sqlite3.connect(index.path) as base:
        base.execute("UPDATE about SET value = '0'")
    base.close()
    opened.clear()
    index.open_all(paths)
    assert opened == ["1.fits"]


def test_a_place_that_cannot_be_written(folder):
    (folder / "file").touch()
    frames, _ = Index(folder / "file" / "index.sqlite").open_all([folder / "1.fits"])
    assert len(frames) == 1


def test_threads_give_the_same(folder):
    with ThreadPoolExecutor(3) as pool:
        frames, broken = Index(folder / "a.sqlite").open_all(find_files(folder), executor=pool)
    assert [frame.name for frame in frames] == [f"{n}.fits" for n in range(5)]
    assert len(broken) == 1


def test_every_real_format_survives_the_index_and_pickling(real_data, tmp_path):
    index = Index(tmp_path / "index.sqlite")
    paths = find_files(real_data("zoo_reencoded")) + find_files(real_data("zoo_public"))
    first, _ = index.open_all(paths)
    second, _ = index.open_all(paths)
    assert len(first) > 40
    for a, b in zip(first, second, strict=True):
        same(a, b)
        same(a, pickle.loads(pickle.dumps(a)))
