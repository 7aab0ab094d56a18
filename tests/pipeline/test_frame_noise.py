"""Frames of a crowded field that were registered elsewhere: their noise, and what their stack says of its own."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from firstlight import read
from firstlight.io.write import write
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.pipeline.stack import stack_files
from firstlight.pipeline.stack_settings import StackSettings

SHAPE = (240, 320)
SIGMA = np.array([8.0, 10.0, 7.0, 9.0, 12.0, 8.0])
AS_THEY_ARE = StackSettings.model_validate({"registration": {"method": "none"}})


def crowded(rng):
    """A star for every 40 pixels."""
    light = np.zeros(SHAPE)
    places = rng.integers(0, light.size, light.size // 40)
    np.add.at(light.reshape(-1), places, 150 * rng.pareto(0.9, len(places)))
    return gaussian_filter(np.minimum(light, 2e5), 1.3)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Two lots of noise under one sky; each frame has its own scale, level and gradient."""
    folder = tmp_path_factory.mktemp("crowded")
    rng = np.random.default_rng(3)
    sky, x = crowded(rng), np.linspace(0, 1, SHAPE[1])
    nights = []
    for k in range(8):
        files = []
        for i, sigma in enumerate(SIGMA):
            plane = sky * (1 + 0.05 * i) + 500 + 10 * i + 8 * i * x + rng.normal(0, sigma, SHAPE)
            files.append(folder / f"night{k}_{i}.fits")
            write(files[-1], Image(plane.astype(np.float32)[None], meta=Meta(exposure=60.0)))
        nights.append(files)
    return folder, nights


def test_noise_of_each_frame_is_found(night):
    folder, nights = night
    parts = stack_files(nights[0], folder / "one.fits", AS_THEY_ARE).engine.parts
    assert [float(p.member.noise[0]) for p in parts] == pytest.approx(SIGMA, rel=0.05)
    assert all(p.member.sample is None for p in parts)


def test_variance_is_the_scatter_over_nights(night):
    folder, nights = night
    images = []
    for k, files in enumerate(nights):
        stack_files(files, folder / f"stack{k}.fits", AS_THEY_ARE)
        images.append(read(folder / f"stack{k}.fits"))
    scatter = np.var([image.data[0] for image in images], axis=0, ddof=1).mean()
    claimed = np.mean([image.variance[0] for image in images])
    assert claimed == pytest.approx(scatter, rel=0.04)


def test_two_frames_cannot_tell(night):
    folder, nights = night
    parts = stack_files(nights[0][:2], folder / "two.fits", AS_THEY_ARE).engine.parts
    assert all(float(p.member.noise[0]) > 1.04 * sigma for p, sigma in zip(parts, SIGMA))
