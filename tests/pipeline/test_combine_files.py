"""Files combined tile by tile: the same bytes however they are read and cut."""

import os

import numpy as np
import pytest

from firstlight.errors import FrameError
from firstlight.io import mapping
from firstlight.io.fits_writer import Unit, write_units
from firstlight.model.flags import Flag, has
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline import combine_files
from firstlight.pipeline.combine_files import FileEngine
from firstlight.pipeline.settings import Normalize
from firstlight.pipeline.stack import StackSettings, stack_files

AS_THEY_ARE = StackSettings(normalize=Normalize(mode="none"), rejection_maps=True)


def noise_frames(n, shape):
    return np.random.default_rng(0).normal(500.0, 10.0, (n, *shape)).astype(np.float32)


def plain(path, data, **cards):
    """A FITS file as another program writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_units(path, [Unit([(key, value, "") for key, value in cards.items()], data)], False)
    return path


@pytest.mark.parametrize("method", ["mean", "median", "winsorized", "esd", "percentile"])
def test_numbers_as_they_lie_give_the_bytes_of_numbers_turned_over(tmp_path, monkeypatch, method):
    """Big-endian samples go to the kernel as the file holds them."""
    frames = noise_frames(9, (70, 150))
    frames[3, 20:25, 30:90] += 500
    frames[5, 40, 40] = np.nan
    settings = AS_THEY_ARE.model_copy(update={"stack": Combine(method=method)})
    results = []
    for name in ("one", "two"):
        paths = [plain(tmp_path / name / f"{i}.fits", frame, SATURATE=1e6) for i, frame in enumerate(frames)]
        if name == "two":
            monkeypatch.setattr(combine_files, "_lie_even", lambda frame: False)
        results.append(stack_files(paths, tmp_path / f"{name}.fits", settings))
    assert [result.engine.as_stored for result in results] == [True, False]
    for plane in ("mean", "variance", "coverage", "rejected_low", "rejected_high", "rejected_fraction"):
        one, two = (getattr(result.stacked, plane) for result in results)
        np.testing.assert_array_equal(one, two)


def test_files_that_cannot_be_mapped_are_read(tmp_path, monkeypatch):
    frames = noise_frames(9, (70, 150))
    frames[3, 20:25, 30:90] += 500
    # Rejected in one frame, and in all of them: saturated all the same.
    frames[4, 40, 50], frames[:, 60, 149] = 6e4, 7e4
    frames[4, 41, 50], frames[5, 69, 0] = np.nan, 59_999
    paths = [plain(tmp_path / f"{i}.fits", frame, SATURATE=6e4) for i, frame in enumerate(frames)]
    written = []
    for able in (mapping._able(), False):
        monkeypatch.setattr(mapping, "_able", lambda able=able: able)
        result = stack_files(paths, tmp_path / "stack.fits", AS_THEY_ARE)
        assert result.engine.as_stored
        assert np.argwhere(has(result.stacked.flags[0], Flag.SATURATED)).tolist() == [[40, 50], [60, 149]]
        written.append((tmp_path / "stack.fits").read_bytes())
    assert written[0] == written[1]


def test_a_file_that_is_cut_while_it_is_combined_is_named(tmp_path, monkeypatch):
    """A thread that meets a page which is gone must not take the program with it."""
    paths = [plain(tmp_path / f"{i}.fits", frame) for i, frame in enumerate(noise_frames(9, (700, 1500)))]
    settle = FileEngine._settle

    def cut_first(*arguments):
        os.truncate(paths[4], 20_000)
        return settle(*arguments)

    monkeypatch.setattr(FileEngine, "_settle", cut_first)
    with pytest.raises(FrameError, match=r"4\.fits: cannot be read any more.*was it moved or cut\?"):
        stack_files(paths, tmp_path / "stack.fits", AS_THEY_ARE)
    assert not (tmp_path / "stack.fits").exists()


@pytest.mark.parametrize("size", [(300, 4400), (3, 9000)])
def test_wide_files_do_not_depend_on_threads_or_memory(tmp_path, size):
    frames = noise_frames(7, size)
    frames[2, 1, 100:900] += 400
    paths = [plain(tmp_path / f"{i}.fits", frame, EGAIN=1.0) for i, frame in enumerate(frames)]
    written = []
    for threads, memory in ((1, 0), (3, 1)):
        settings = AS_THEY_ARE.model_copy(update={"threads": threads, "memory": memory})
        result = stack_files(paths, tmp_path / "stack.fits", settings)
        written.append([plane.tobytes() for plane in (result.stacked.mean, result.stacked.variance)])
    assert written[0] == written[1]


def test_parts_of_one_are_rejected_by_their_own_noise(tmp_path):
    """A gain of the camera's numbers, taken for one of parts of 1, would call any trail the noise of photons."""
    frames = noise_frames(9, (70, 150)) / 65535
    frames[3, 20:25, 30:90] += 0.01
    paths = [plain(tmp_path / f"{i}.fits", frame, EGAIN=0.75) for i, frame in enumerate(frames)]
    result = stack_files(paths, tmp_path / "stack.fits", AS_THEY_ARE)
    assert result.stacked.rejected_high[0, 21:24, 35:85].min() == 1
    assert result.image.unit == "normalised"
    assert result.image.data.max() < 0.01
