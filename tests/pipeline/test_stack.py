"""Files combined, judged by what went into them."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from firstlight.errors import InputError
from firstlight.io.beside import planes_beside
from firstlight.io.fits_writer import Unit, write_units
from firstlight.io.read import open_frame, read
from firstlight.io.write import write
from firstlight.library.raw import adu_rows
from firstlight.model.flags import Flag, has
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.ops.stack.combine import Combine
from firstlight.pipeline.settings import Normalize, Register
from firstlight.pipeline.stack import StackSettings, stack_files

AS_THEY_ARE = StackSettings(normalize=Normalize(mode="none"))
START = datetime(2026, 1, 17, 22, tzinfo=UTC)


def noise_frames(n, shape=(60, 80), sigma=10.0, seed=0):
    return np.random.default_rng(seed).normal(500.0, sigma, (n, *shape)).astype(np.float32)


def plain(path, data, **cards):
    """A FITS file as another program writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_units(path, [Unit([(key.replace("_", "-"), value, "") for key, value in cards.items()], data)], False)
    return path


def star_field(shape=(160, 200), n=40, fwhm=3.0, seed=3, shift=(0.0, 0.0)):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros(shape)
    sigma = fwhm / 2.3548
    for x, y, flux in zip(rng.uniform(15, shape[1] - 15, n), rng.uniform(15, shape[0] - 15, n),
                          10 ** rng.uniform(3.5, 4.8, n)):  # fmt: skip
        distance = (xx - x - shift[0]) ** 2 + (yy - y - shift[1]) ** 2
        image += flux / (2 * np.pi * sigma**2) * np.exp(-distance / 2 / sigma**2)
    return image


def our_stack(path, data, variance, n, hour, coverage=None, flags=None):
    meta = Meta(
        kind=Kind.STACK, target="M 1", exposure=30.0 * n, n_combined=n, start=START + timedelta(hours=hour),
        middle=START + timedelta(hours=hour, seconds=17.0 * n), gain=0.5 * n, read_noise=4.0 * np.sqrt(n),
    )  # fmt: skip
    image = Image(data, flags, np.full(data.shape, variance, np.float32), meta=meta)
    return write(path, image, coverage=np.full(data.shape, n, np.uint16) if coverage is None else coverage)


def test_a_stack_of_stacks_is_the_stack_of_all_frames(tmp_path):
    numbers = (4, 9, 16)
    frames = noise_frames(sum(numbers), (200, 240))
    parts = np.split(frames, np.cumsum(numbers)[:-1])
    files = [
        our_stack(tmp_path / f"{n}.fits", part.mean(axis=0), 100.0 / n, n, hour)
        for hour, (n, part) in enumerate(zip(numbers, parts))
    ]
    result = stack_files(files, tmp_path / "all.fits", AS_THEY_ARE)
    image = read(tmp_path / "all.fits")
    np.testing.assert_allclose(image.data[0], frames.mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(image.variance, 100.0 / 29, rtol=1e-5)
    assert np.var(image.data - 500.0) == pytest.approx(100 / 29, rel=0.03)
    assert image.meta.n_combined == 29
    assert image.meta.exposure == 29 * 30
    assert image.meta.gain == pytest.approx(0.5 * 29, rel=1e-6)
    assert image.meta.read_noise == pytest.approx(4.0 * np.sqrt(29), rel=1e-6)
    middles = np.array([h * 3600 + 17.0 * n for h, n in enumerate(numbers)])
    expected = START + timedelta(seconds=float(np.sum(middles * numbers) / 29))
    assert abs((image.meta.mid_time - expected).total_seconds()) < 0.001
    assert (result.stacked.coverage == 29).all()
    coverage = planes_beside(open_frame(tmp_path / "all.fits")).coverage
    assert (adu_rows(coverage, 0, 200) == 29).all()


def test_flags_and_coverage_of_a_stack_are_honoured(tmp_path):
    numbers = (4, 9, 16)
    frames = noise_frames(sum(numbers), (80, 100))
    parts = np.split(frames, np.cumsum(numbers)[:-1])
    files = []
    for hour, (n, part) in enumerate(zip(numbers, parts)):
        data, flags, coverage = part.mean(axis=0), np.zeros((80, 100), np.uint16), np.full((80, 100), n, np.uint16)
        if n == 16:
            data[:20], flags[:20] = 1e6, Flag.NO_DATA
            # Half of its frames reach only half of the columns.
            data[40:, :50], coverage[40:, :50] = part[:8, 40:, :50].mean(axis=0), 8
        if n == 9:
            data[:5], flags[:5] = -1e6, Flag.TRAIL
        if n == 4:
            flags[30, 40] = Flag.SATURATED
            flags[:2], data[:2] = Flag.NO_DATA, np.nan
        variance = (100.0 / coverage).astype(np.float32)
        files.append(our_stack(tmp_path / f"{n}.fits", data, 1.0, n, hour, coverage, flags))
        image = read(files[-1])
        write(files[-1], image.replace(variance=variance[None]), coverage=coverage)
    result = stack_files(files, tmp_path / "all.fits", AS_THEY_ARE)
    stacked = result.stacked
    assert (stacked.coverage[0, :2] == 0).all()
    assert has(stacked.flags[0, :2], Flag.NO_DATA).all()
    assert (stacked.coverage[0, 2:5] == 4).all()
    assert (stacked.coverage[0, 5:20] == 13).all()
    np.testing.assert_allclose(stacked.mean[0, 5:20], frames[:13, 5:20].mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(stacked.variance[0, 5:20], 100 / 13, rtol=1e-5)
    # Where a stack holds half of its frames it weighs half: still the mean of all frames.
    assert (stacked.coverage[0, 40:, :50] == 21).all()
    np.testing.assert_allclose(stacked.mean[0, 40:, :50], frames[:21, 40:, :50].mean(axis=0), rtol=2e-6)
    np.testing.assert_allclose(stacked.variance[0, 40:, :50], 100 / 21, rtol=1e-5)
    assert np.argwhere(has(stacked.flags[0], Flag.SATURATED)).tolist() == [[30, 40]]


def test_variance_of_rejected_samples_is_left_out(tmp_path):
    frames = noise_frames(12, (40, 50))
    frames[3, 10, 10] += 5000
    frames[4, 20, 20] -= 5000
    files = [our_stack(tmp_path / f"{i}.fits", f, 100.0 if i != 3 else 400.0, 5, i) for i, f in enumerate(frames)]
    rule = StackSettings(
        normalize=Normalize(mode="none", weights="equal"), stack=Combine(method="noise", low=6.0, high=6.0),
        rejection_maps=True,
    )  # fmt: skip
    result = stack_files(files, tmp_path / "all.fits", rule)
    kept = np.delete(frames, 3, axis=0)
    assert result.stacked.mean[0, 10, 10] == pytest.approx(kept[:, 10, 10].mean(), rel=1e-5)
    assert result.stacked.variance[0, 10, 10] == pytest.approx(100 / 11, rel=1e-5)
    assert result.stacked.variance[0, 20, 20] == pytest.approx((10 * 100 + 400) / 11**2, rel=1e-5)
    assert result.stacked.variance[0, 0, 0] == pytest.approx((11 * 100 + 400) / 144, rel=1e-5)
    assert result.stacked.coverage[0, 10, 10] == 55
    assert result.stacked.rejected_high[0, 10, 10] == 1
    assert result.stacked.rejected_low[0, 20, 20] == 1


@pytest.mark.parametrize("method", ["mean", "median"])
def test_foreign_files_are_combined_as_numpy_does(tmp_path, method):
    frames = noise_frames(7) + np.arange(7, dtype=np.float32)[:, None, None] * 40
    files = [plain(tmp_path / f"f{i}.fit", f, EXPTIME=60.0) for i, f in enumerate(frames)]
    rule = StackSettings(normalize=Normalize(mode="none", weights="equal"), stack=Combine(method=method))
    stack_files(files, tmp_path / "out.fits", rule)
    np.testing.assert_allclose(read(tmp_path / "out.fits").data[0], getattr(np, method)(frames, axis=0), rtol=1e-6)


def test_background_and_stars_are_brought_to_one_scale(tmp_path):
    stars = star_field()
    frames, rng = [], np.random.default_rng(1)
    for i in range(8):
        level, dimming = 300.0 + 60 * i, 1.0 - 0.05 * i
        frames.append((level + dimming * stars + rng.normal(0, 5, stars.shape)).astype(np.float32))
    frames[5][60:63, :] += 4000
    files = [plain(tmp_path / f"f{i}.fit", f, EXPTIME=60.0, EGAIN=1.0) for i, f in enumerate(frames)]
    result = stack_files(files, tmp_path / "out.fits", StackSettings(registration=Register(
        method="none", reference="f0.fit")))  # fmt: skip
    scales = np.array([part.gain[0] for part in result.engine.parts])
    np.testing.assert_allclose(scales, 1 / (1.0 - 0.05 * np.arange(8)), rtol=0.004)
    data = read(tmp_path / "out.fits").data[0]
    bright = stars > 100
    assert data[bright].sum() - 300.0 * bright.sum() == pytest.approx(stars[bright].sum(), rel=0.002)
    sky = stars < 1e-3
    sky[58:65] = False
    weights = np.array([part.weight for part in result.engine.parts])
    expected = 5 * np.sqrt(np.sum((weights * scales) ** 2)) / weights.sum()
    assert np.std(data[sky]) == pytest.approx(expected, rel=0.05)
    assert abs(np.median(data[60:63][stars[60:63] < 1e-3]) - 300) < 3 * expected


def test_seeing_is_measured_from_the_same_stars(tmp_path):
    rng = np.random.default_rng(1)
    widths = [2.5, 3.0, 3.5, 4.0, 3.0, 3.0]
    files = [
        plain(tmp_path / f"f{i}.fit", (100 + star_field(fwhm=w) + rng.normal(0, 5, (160, 200))).astype(np.float32))
        for i, w in enumerate(widths)
    ]
    result = stack_files(files, tmp_path / "out.fits", StackSettings(registration=Register(
        method="none", reference="f1.fit")))  # fmt: skip
    np.testing.assert_allclose(result.engine.seeing, widths, rtol=0.06)


def test_a_frame_without_noise_weighs_nothing(tmp_path):
    """All zeros, or one value: a weight of one over its noise squared would leave nothing of the others."""
    frames = noise_frames(6)
    files = [plain(tmp_path / f"f{i}.fit", frame) for i, frame in enumerate(frames)]
    files += [plain(tmp_path / "zero.fit", 0 * frames[0]), plain(tmp_path / "flat.fit", 0 * frames[0] + 500)]
    result = stack_files(files, tmp_path / "out.fits")
    assert {Path(path).name for path in result.set_aside} == {"zero.fit", "flat.fit"}
    assert all("shows nothing" in reason for reason in result.set_aside.values())
    assert result.image.data.std() == pytest.approx(10 / np.sqrt(6), rel=0.1)


def test_coarse_numbers_have_noise_too(tmp_path):
    """Of 8-bit frames most neighbours are equal: their median difference is 0."""
    files = []
    for i, sigma in enumerate((0.35, 0.35, 0.5)):
        frame = np.round(np.random.default_rng(i).normal(20.3, sigma, (200, 200))).astype(np.uint8)
        files.append(plain(tmp_path / f"f{i}.fit", frame))
    parts = stack_files(files, tmp_path / "out.fits", AS_THEY_ARE).engine.parts
    for part in parts:
        actual = read(part.member.frame.path).data.std()
        assert float(part.member.noise[0]) == pytest.approx(actual, rel=0.1)
    assert 0.3 < parts[2].weight < parts[0].weight < 2


def test_no_room_is_said_before_any_work(tmp_path, monkeypatch):
    from firstlight.pipeline import room

    files = [plain(tmp_path / f"f{i}.fit", frame) for i, frame in enumerate(noise_frames(3))]
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: SimpleNamespace(free=50_000))
    with pytest.raises(InputError, match=r"0 MB free; the stack and its scratch files need about 0 MB.*--output"):
        stack_files(files, tmp_path / "out.fits")
    assert not (tmp_path / "out.fits").exists()


def test_infinite_pixels_are_missing(tmp_path):
    frames = noise_frames(3)
    frames[:, :, :30] = np.inf
    result = stack_files([plain(tmp_path / f"f{i}.fit", f) for i, f in enumerate(frames)], tmp_path / "out.fits")
    assert has(result.image.flags[0], Flag.NO_DATA).sum() == 60 * 30


def test_the_zero_border_of_another_program_is_no_sky(tmp_path):
    frames = noise_frames(6, (120, 90))
    for i in range(3):
        frames[i, : 10 + i] = 0
        frames[i, :, 80:] = 0
    files = [plain(tmp_path / f"f{i}.fit", f) for i, f in enumerate(frames)]
    result = stack_files(files, tmp_path / "out.fits", AS_THEY_ARE)
    assert (result.stacked.coverage[0, :10] == 3).all()
    assert (result.stacked.coverage[0, 50, :80] >= 5).all()
    assert abs(result.stacked.mean[0, :10].mean() - 500) < 2


def test_zero_is_a_number_where_the_background_is_near_it(tmp_path):
    frames = noise_frames(5) - 500
    frames[2, 5, 5] = 0
    files = [plain(tmp_path / f"f{i}.fit", f) for i, f in enumerate(frames)]
    result = stack_files(files, tmp_path / "out.fits", AS_THEY_ARE)
    assert not any(part.member.has_border for part in result.engine.parts)


def test_registered_on_request(tmp_path):
    rng = np.random.default_rng(1)
    shifts = [(0.0, 0.0), (3.4, -2.7), (-5.2, 4.1), (1.5, 6.6), (-2.3, -3.9)]
    files = []
    for i, shift in enumerate(shifts):
        data = 200 + star_field(shift=shift) + rng.normal(0, 3, (160, 200))
        image = Image(data, variance=np.full(data.shape, 9.0), meta=Meta(kind=Kind.LIGHT, exposure=10.0, gain=1.0))
        flags = image.flags.copy()
        flags[0, 80, 90:110] = Flag.HOT
        files.append(write(tmp_path / f"f{i}.fits", image.replace(flags=flags)))
    rule = StackSettings(registration=Register(method="stars", reference="f0.fits"))
    result = stack_files(files, tmp_path / "out.fits", rule)
    assert result.n_files == 5
    inner = np.s_[20:-20, 20:-20]
    truth = 200 + star_field()
    image = read(tmp_path / "out.fits")
    residual = (image.data[0] - truth)[inner]
    faint = truth[inner] < 210
    assert np.std(residual[faint]) == pytest.approx(np.sqrt(np.median(image.variance[0])), rel=0.15)
    peak = truth[inner].max()
    assert np.abs(residual).max() < 0.1 * peak
    # The flagged pixels lie elsewhere in every file: nothing is missing.
    assert image.good[0][inner].all()
    assert (result.stacked.coverage[0][inner] >= 3).all()


def test_bias_frames_make_a_master(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.normal(300, 8, (9, 40, 50)).round().astype(np.uint16)
    files = [
        plain(tmp_path / f"b{i}.fit", frame, IMAGETYP="bias", EXPTIME=0.0, GAIN=100) for i, frame in enumerate(frames)
    ]
    stack_files(files, tmp_path / "bias.fits", StackSettings(stack=Combine(method="median")))
    image = read(tmp_path / "bias.fits")
    np.testing.assert_array_equal(image.data[0], np.median(frames, axis=0).astype(np.float32))
    assert image.meta.kind is Kind.MASTER_BIAS
    assert (image.meta.n_combined, image.meta.exposure, image.meta.gain_setting) == (9, 0.0, 100)


def test_flats_are_brought_to_one_level_by_a_factor(tmp_path):
    rng = np.random.default_rng(0)
    shape = 1 - 0.3 * np.linspace(-1, 1, 50)[None] ** 2 * np.ones((40, 1))
    levels = 20000 * (1 + 0.1 * np.arange(6))
    files = [
        plain(tmp_path / f"f{i}.fit", (level * shape + rng.normal(0, 10, shape.shape)).astype(np.float32),
              IMAGETYP="flat", EXPTIME=1.0)
        for i, level in enumerate(levels)
    ]  # fmt: skip
    stack_files(files, tmp_path / "flat.fits", StackSettings(registration=Register(method="none", reference="f0")))
    image = read(tmp_path / "flat.fits")
    np.testing.assert_allclose(image.data[0] / image.data[0].mean(), shape / shape.mean(), atol=0.002)
    assert image.meta.kind is Kind.MASTER_FLAT


def test_colour_images_keep_their_channels(tmp_path):
    rng = np.random.default_rng(0)
    levels = np.array([100.0, 200.0, 300.0], np.float32)[:, None, None]
    files = [
        plain(tmp_path / f"c{i}.fit", (levels + 10 * i + rng.normal(0, 2, (3, 40, 50))).astype(np.float32))
        for i in range(5)
    ]
    stack_files(files, tmp_path / "out.fits", StackSettings(registration=Register(method="none", reference="c0")))
    np.testing.assert_allclose(read(tmp_path / "out.fits").data.mean(axis=(1, 2)), levels.ravel(), atol=0.3)


def test_bytes_do_not_depend_on_threads_memory_or_packing(tmp_path):
    import gzip

    frames = noise_frames(9, (150, 70))
    frames[4, 20:40, 30] += 900
    (tmp_path / "packed").mkdir()
    for i, frame in enumerate(frames):
        path = plain(tmp_path / "plain" / f"f{i}.fit", frame, EXPTIME=60.0)
        (tmp_path / "packed" / f"f{i}.fit.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
    results = []
    for folder, threads, memory in (("plain", 1, 1), ("plain", 2, 500), ("packed", 2, 0)):
        result = stack_files([tmp_path / folder], tmp_path / "out.fits", StackSettings(threads=threads, memory=memory))
        results.append((result.stacked.mean.tobytes(), result.stacked.variance.tobytes()))
    assert results[0] == results[1] == results[2]
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_broken_file_costs_that_file(tmp_path):
    files = [plain(tmp_path / f"f{i}.fit", f) for i, f in enumerate(noise_frames(4))]
    files[1].write_bytes(files[1].read_bytes()[:9000])
    files.append(plain(tmp_path / "nan.fit", np.full((60, 80), np.nan, np.float32)))
    result = stack_files([*files, tmp_path / "absent.fit"], tmp_path / "out.fits")
    assert result.n_files == 3
    reasons = {path.rpartition("/")[2]: reason for path, reason in result.set_aside.items()}
    assert "cut short" in reasons["f1.fit"]
    assert "shows nothing" in reasons["nan.fit"]
    assert "no such file" in reasons["absent.fit"]


@pytest.mark.parametrize(("what", "cards"), [("filter", "FILTER"), ("target", "OBJECT")])
def test_targets_and_filters_are_not_mixed_unasked(tmp_path, what, cards):
    files = [plain(tmp_path / f"{v}.fit", f, **{cards: v}) for v, f in zip(("L", "R"), noise_frames(2))]
    with pytest.raises(InputError, match=f"{what}.*'L'.*'R'.*--mix"):
        stack_files(files, tmp_path / "out.fits")
    stack_files(files, tmp_path / "out.fits", StackSettings(mix=True))
    assert getattr(read(tmp_path / "out.fits").meta, what) is None


def test_sizes_must_agree(tmp_path):
    files = [plain(tmp_path / "a.fit", noise_frames(1)[0]), plain(tmp_path / "b.fit", noise_frames(1, (60, 81))[0])]
    with pytest.raises(InputError, match=r"80 x 60 px.*81 x 60 px"):
        stack_files(files, tmp_path / "out.fits")
    with pytest.raises(InputError, match="FITS"):
        stack_files(files, tmp_path / "out.png")


@pytest.mark.slow
def test_a_thousand_files_with_sixty_four_handles(tmp_path):
    frames = noise_frames(8, (48, 64))
    for i in range(1000):
        plain(tmp_path / "in" / f"f{i:04d}.fit", frames[i % 8] + np.float32(i), EXPTIME=1.0)
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64));"
        "from firstlight.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "stack", str(tmp_path / "in"), "-o", str(tmp_path / "out.fits"), "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1000 files" in done.stdout
    assert read(tmp_path / "out.fits").meta.n_combined == 1000


def test_a_file_given_twice_is_taken_once(tmp_path):
    files = [plain(tmp_path / f"{i}.fits", data, EXPTIME=30.0) for i, data in enumerate(noise_frames(3))]
    once = stack_files(files, tmp_path / "once.fits", AS_THEY_ARE)
    twice = stack_files([tmp_path / "0.fits", *files, files[1]], tmp_path / "twice.fits", AS_THEY_ARE)
    assert (twice.n_files, twice.image.meta.exposure) == (3, 90.0)
    assert "2 files were given more than once: taken once" in twice.notes
    np.testing.assert_array_equal(twice.image.data, once.image.data)
