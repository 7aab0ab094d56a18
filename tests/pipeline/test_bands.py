"""Bands equal the whole, in memory and in files, and memory stays bounded."""

import numpy as np
import pytest

from firstlight import apply, read, write
from firstlight.errors import InputError
from firstlight.io.checksum import verify_file
from firstlight.model.flags import Flag
from firstlight.model.image import Image
from firstlight.model.meta import Meta
from firstlight.ops.spec import parse_step
from firstlight.pipeline.bands import FileSource, apply_to_file, in_the_way
from firstlight.pipeline.executors import thread_pool

RNG = np.random.default_rng(5)
CHAINS = [
    ["stretch:midtones"],
    ["nr:gaussian:sigma=2", "stretch:midtones:linked=false", "color:scnr"],
    ["stretch:black:percentile=5", "nr:median", "stretch:percentile"],
    ["stretch:asinh:beta=40"],
    ["color:mix:matrix=1/0/0/0/1/0/0/0.2/0.8", "stretch:linear:bright=3", "stretch:srgb"],
    ["stretch:lupton"],
    ["color:grey", "nr:gaussian", "stretch:gamma"],
    ["stretch:black:percentile=5", "stretch:hdr:radius=8,smooth=4"],
]


def image(saturation=None, variance=True, shape=(3, 61, 70)):
    data = RNG.normal(200, 10, shape) * np.array([1.0, 0.8, 1.3])[: shape[0], None, None]
    data[:, 30:33, 40:43] += 3000
    flags = np.zeros(shape, np.uint16)
    flags[:, 31, 41], flags[:, 10, 10] = Flag.SATURATED, Flag.NO_DATA
    return Image(
        data, flags=flags, variance=np.full(shape, 100.0) if variance else None,
        meta=Meta(saturation=saturation, filter="RGB", exposure=30.0),
    )  # fmt: skip


def same(one, other, atol=1e-5):
    np.testing.assert_allclose(one.data, other.data, atol=atol)
    np.testing.assert_array_equal(one.flags, other.flags)
    assert (one.variance is None) == (other.variance is None)
    if one.variance is not None:
        np.testing.assert_allclose(one.variance, other.variance, rtol=1e-4, atol=1e-9)
    assert (one.unit, one.state, one.history, one.meta.saturation) == (
        other.unit, other.state, other.history, other.meta.saturation)  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS, ids=lambda c: "+".join(c))
@pytest.mark.parametrize("saturation", [None, 4000.0])
@pytest.mark.parametrize("variance", [True, False])
def test_small_bands_equal_the_whole(tmp_path, chain, saturation, variance):
    given = image(saturation, variance)
    whole = apply(given, *chain)
    steps = [parse_step(text) for text in chain]
    with thread_pool(2) as pool:
        path = write(tmp_path / "in.fits", given)
        apply_to_file(FileSource.of(path), tmp_path / "out.fits", steps, pool, 2, {"made_by": "test"}, rows=10)
    verify_file(tmp_path / "out.fits")
    out = read(tmp_path / "out.fits")
    same(out, whole)
    write(tmp_path / "whole.fits", whole, provenance={"made_by": "test"})
    assert (tmp_path / "out.fits").stat().st_size == (tmp_path / "whole.fits").stat().st_size


def test_a_streamed_file_is_that_of_the_whole_byte_for_byte(tmp_path):
    given = image(4000.0)
    steps = [parse_step("stretch:gamma")]
    path = write(tmp_path / "in.fits", given)
    with thread_pool(2) as pool:
        apply_to_file(FileSource.of(path), tmp_path / "out.fits", steps, pool, 2, rows=10)
    write(tmp_path / "whole.fits", apply(read(path), *steps))
    assert (tmp_path / "out.fits").read_bytes() == (tmp_path / "whole.fits").read_bytes()


def test_what_needs_the_frame_says_so(tmp_path):
    assert in_the_way([parse_step("stretch:gamma"), parse_step("nr:gaussian"), parse_step("stretch:midtones")]) is None
    steps = [parse_step("stretch:gamma"), parse_step("contrast:clahe")]
    assert in_the_way(steps) is steps[1]
    source = FileSource.of(write(tmp_path / "in.fits", image()))
    with thread_pool(1) as pool, pytest.raises(InputError, match="contrast:clahe: looks at the whole frame"):
        apply_to_file(source, tmp_path / "out.fits", steps, pool, 1)
    gradient = [parse_step("abr:polynomial")]
    assert in_the_way(gradient) is None
    assert in_the_way(gradient, ["mask"]) is gradient[0]


GRADIENTS = [
    "abr:localgradient:scale=64", "abr:localgradient:scale=32,mode=divide", "abr:polynomial:mode=luminance",
    "abr:samples:samples=9", "abr:multiscale:scale=48,mode=model", "abr:envelope:scale=48", "abr:uniform", "abr:floor",
]  # fmt: skip


def test_exposures_are_blended_in_bands_as_in_the_whole(tmp_path):
    given = image(shape=(3, 301, 222))
    for saturation, atol in ((4000.0, 0), (None, 1e-4)):
        path = write(tmp_path / f"{saturation}.fits", given.replace(meta=Meta(saturation=saturation)))
        with thread_pool(2) as pool:
            apply_to_file(FileSource.of(path), tmp_path / "out.fits", [parse_step("stretch:hdr")], pool, 2, rows=26)
        same(read(tmp_path / "out.fits"), apply(read(path), "stretch:hdr"), atol)


@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("cfa", [None, "RGGB"])
@pytest.mark.parametrize("shape", [(301, 222), (1031, 1222)])
def test_a_gradient_is_removed_in_bands_with_the_same_bytes(tmp_path, gradient, cfa, shape):
    given = image(shape=((1,) if cfa else (3,)) + shape)
    given = given.replace(data=given.data + np.linspace(0, 200, shape[1]), meta=given.meta.replace(cfa=cfa))
    steps = [parse_step(gradient)]
    path = write(tmp_path / "in.fits", given)
    with thread_pool(3) as pool:
        apply_to_file(FileSource.of(path), tmp_path / "out.fits", steps, pool, 3, rows=26)
    write(tmp_path / "whole.fits", apply(read(path), *steps))
    assert (tmp_path / "out.fits").read_bytes() == (tmp_path / "whole.fits").read_bytes()


def test_a_gradient_among_other_steps_and_in_the_wrong_place(tmp_path):
    given = image(shape=(3, 301, 222))
    given = given.replace(data=given.data + np.linspace(0, 200, 222))
    chain = ["nr:gaussian:sigma=2", "abr:localgradient:scale=64", "nr:median", "stretch:midtones"]
    source, out = FileSource.of(write(tmp_path / "in.fits", given)), tmp_path / "out.fits"
    with thread_pool(2) as pool:
        apply_to_file(source, out, [parse_step(text) for text in chain], pool, 2, rows=24)
        same(read(out), apply(given, *chain), atol=1e-4)
        wrong = [parse_step("stretch:gamma"), parse_step("abr:floor")]
        with pytest.raises(InputError, match="abr:floor: the image is stretched; it needs linear data"):
            apply_to_file(source, tmp_path / "wrong.fits", wrong, pool, 2, rows=24)


def test_mosaics_keep_their_cells(tmp_path):
    given = image(shape=(1, 61, 70))
    given = given.replace(meta=given.meta.replace(cfa="RGGB"))
    source = FileSource.of(write(tmp_path / "in.fits", given))
    with thread_pool(2) as pool:
        apply_to_file(source, tmp_path / "out.fits", [parse_step("stretch:gamma")], pool, 2, rows=6)
    same(read(tmp_path / "out.fits"), apply(given, "stretch:gamma"))


@pytest.mark.slow
@pytest.mark.parametrize("chain", ["nr:gaussian:sigma=1 stretch:midtones", "abr:localgradient"])
def test_memory_does_not_grow_with_the_image(tmp_path, chain):
    """A tall image through a chain in a process of its own: peak memory of 200 Mpx less than that of one plane."""
    import subprocess
    import sys

    program = """
import resource, sys
from pathlib import Path
import numpy as np
from firstlight.io.fits_writer import format_card
from firstlight.ops.spec import parse_step
from firstlight.pipeline.bands import FileSource, apply_to_file
from firstlight.pipeline.executors import thread_pool
path, rows, width = Path(sys.argv[1]), 20000, 10000
cards = [("SIMPLE", True), ("BITPIX", -32), ("NAXIS", 2), ("NAXIS1", width), ("NAXIS2", rows)]
header = "".join(format_card(k, v) for k, v in cards) + "END".ljust(80)
with open(path, "wb") as file:
    file.write(header.ljust(2880).encode())
    block = np.random.default_rng(1).normal(100, 5, (1000, width)).astype(">f4")
    for _ in range(rows // 1000):
        block.tofile(file)
    file.write(bytes(-file.tell() % 2880))
steps = [parse_step(text) for text in sys.argv[2].split()]
with thread_pool(2) as pool:
    apply_to_file(FileSource.of(path), path.with_name("out.fits"), steps, pool, 2)
anonymous = int([l for l in open("/proc/self/status") if l.startswith("RssAnon")][0].split()[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, anonymous)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "in.fits"), chain], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert (tmp_path / "out.fits").stat().st_size > 1.2e9
    assert int(done.stdout.split()[1]) * 1024 < 800e6


def stars(kind):
    """Stars, large enough that a step learns from squares of it and not from all."""
    from firstlight.simulate.scene import random_field, render_stars

    rng = np.random.default_rng(3)
    shape = (1530, 1420)
    light = 60 + render_stars(shape, *random_field(rng, 700, shape, (300, 5e4), 0.7, 4.0), 3.0, beta=3.0, floor=0.05)
    light = light[None]
    variance = (light / 1.5 + 16).astype(np.float32)
    data = light + np.sqrt(variance) * rng.standard_normal(light.shape)
    flags = np.zeros(data.shape, np.uint16)
    flags[:, 700:708, 300:320] = Flag.NO_DATA
    meta = Meta(gain=1.5, read_noise=6.0) if kind == "anscombe" else Meta()
    return Image(data, flags=flags, variance=variance if kind == "variance" else None, meta=meta)


@pytest.mark.parametrize(
    ("kind", "spec", "within"),
    [("variance", "nr:starlet", 1e-6), ("anscombe", "nr:starlet", 1e-6), ("measured", "nr:starlet:rule=bayes", 1e-6),
     ("variance", "nr:tv:steps=120", 1e-3), ("anscombe", "nr:bilateral:sigma=1", 1e-6),
     ("measured", "nr:diffusion", 1e-6), ("variance", "sharp:gaussian", 1e-3), ("anscombe", "sharp:moffat", 1e-3),
     ("measured", "sharp:moffat:aside=0", 1e-3), ("measured", "sharp:moffat:method=bregman,iterations=8", 1e-3)],
)  # fmt: skip
def test_detail_in_bands_is_that_of_the_whole(tmp_path, kind, spec, within):
    given = stars(kind)
    step = parse_step(spec)
    path = write(tmp_path / "in.fits", given)
    whole = step(read(path))
    with thread_pool(2) as pool:
        apply_to_file(FileSource.of(path), tmp_path / "out.fits", [step], pool, 2, rows=400)
    out = read(tmp_path / "out.fits")
    # Sigma of the sky is about 8: what differs is far below the noise, even under stars of 10 000.
    assert np.abs(out.data - whole.data).max() <= within * 8
    np.testing.assert_array_equal(out.flags, whole.flags)
    assert (out.history, out.variance is None) == (whole.history, True)


def test_detail_among_other_steps(tmp_path):
    given = stars("measured")
    chain = [parse_step(text) for text in ("nr:gaussian:sigma=0.7", "sharp:gaussian", "nr:starlet")]
    assert in_the_way(chain) is None
    assert in_the_way([parse_step("sharp:moffat:target=stars")]) is not None
    path = write(tmp_path / "in.fits", given)
    with thread_pool(2) as pool:
        apply_to_file(FileSource.of(path), tmp_path / "out.fits", chain, pool, 2)
    whole = apply(read(path), *chain)
    assert np.abs(read(tmp_path / "out.fits").data - whole.data).max() < 0.02
