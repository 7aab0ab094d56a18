"""Which files are looked at."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from firstlight.cli.main import run
from firstlight.errors import InputError
from firstlight.pipeline.star_files import files_of


@pytest.fixture
def series(tmp_path):
    y, x = np.mgrid[:80, :90]
    sky = sum(3000 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 4.5) for cx, cy in ((20, 20), (60, 30), (40, 60)))
    pixels = (500 + sky + np.random.default_rng(1).normal(0, 5, (3, 80, 90))).astype("<u2")
    head = struct.pack("<14s7i40s40s40s2q", b"LUCAM-RECORDER", 0, 0, 0, 90, 80, 16, 3, b"", b"Cam", b"", 0, 0)
    path = tmp_path / "moon.ser"
    path.write_bytes(head + pixels.tobytes())
    return path


def test_every_exposure_of_a_series_or_one_of_them(series, tmp_path):
    assert [path.name for path in files_of([series])] == [f"moon.ser#000{n}" for n in (1, 2, 3)]
    assert files_of([tmp_path]) == files_of([series])
    assert files_of([series.with_name("moon.ser#0002")]) == [series.with_name("moon.ser#0002")]
    with pytest.raises(InputError, match="no such"):
        files_of([tmp_path / "gone.fits"])


def test_each_has_its_row_and_its_report(series, tmp_path):
    assert run(["measure", str(series), "-o", str(tmp_path / "out")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [*(f"moon_000{n}_quality.yaml" for n in (1, 2, 3)), "quality.csv"]
    assert len((tmp_path / "out" / "quality.csv").read_text(encoding="utf-8").splitlines()) == 4
