"""Channels combined: brought together, in the right order, every mode, every option of effect."""

from pathlib import Path

import numpy as np
import pytest

from firstlight import read, write
from firstlight.errors import InputError, SpecError
from firstlight.io.content import known_hash
from firstlight.model.image import Image, PixelUnit
from firstlight.model.meta import Meta
from firstlight.pipeline.channel_modes import MODES
from firstlight.pipeline.combine_channels import ChannelSettings, combine_channels, role_of
from firstlight.pipeline.lineage import lineage_of
from firstlight.pipeline.lineage_text import explain_text

AS_THEY_LIE = ChannelSettings(align="none")
STARS = np.random.default_rng(11).uniform([8, 8, 300], [152, 112, 4000], (45, 3))


def field(filter_name, seed, dx=0.0, dy=0.0, turned=False, bright=1.0):
    y, x = np.mgrid[:120, :160]
    light = 100 + 40 * np.exp(-((x - 80 - dx) ** 2 + (y - 60 - dy) ** 2) / (2 * 25.0**2))
    for cx, cy, flux in STARS:
        light += bright * flux / 12 * np.exp(-((x - cx - dx) ** 2 + (y - cy - dy) ** 2) / (2 * 1.6**2))
    data = light + np.random.default_rng(seed).normal(0, 2, light.shape)
    data = data[::-1, ::-1] if turned else data
    meta = Meta(filter=filter_name, exposure=60.0, n_combined=4, saturation=4000.0)
    return Image(data, variance=np.full((1, 120, 160), 4.0), meta=meta)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("channels")
    images = {
        "L": field("L", 1, bright=2.0), "R": field("Red", 2, dx=3.3, dy=-1.6), "G": field("G", 3, turned=True),
        "B": field("B", 4, dx=-2.0, bright=0.7),
    }  # fmt: skip
    return {name: write(folder / f"{name}.fits", image) for name, image in images.items()}


def peaks(plane, radius=3):
    """Light within 3 px of each bright star off the nebula, above the sky."""
    y, x = np.mgrid[:120, :160]
    bright = STARS[(STARS[:, 2] > 1500) & (np.hypot(STARS[:, 0] - 80, STARS[:, 1] - 60) > 58)]
    return np.array([(plane - np.median(plane))[np.hypot(x - cx, y - cy) < radius].sum() for cx, cy, _ in bright])


def test_shifts_and_a_pier_flip_are_undone(files):
    result = combine_channels("rgb", [files["R"], files["G"], files["B"]], reference=files["L"])
    image = result.image
    assert image.shape == (3, 120, 160)
    reference = peaks(read(files["L"]).data[0])
    for channel, share in zip(image.data, (0.5, 0.5, 0.35)):
        np.testing.assert_allclose(peaks(channel), share * reference, rtol=0.12)
    assert any("other side of the pier" in note for note in result.notes)
    assert image.variance is not None
    assert image.meta.exposure == 180
    assert image.meta.n_combined == 12
    assert image.meta.filter == "Red+G+B"


def test_the_order_is_that_of_the_filters_unless_told_otherwise(files):
    mixed = combine_channels("rgb", [files["B"], files["R"], files["G"]], reference=files["L"])
    right = combine_channels("rgb", [files["R"], files["G"], files["B"]], reference=files["L"])
    np.testing.assert_array_equal(mixed.image.data, right.image.data)
    assert "by the filters" in mixed.notes[0]
    given = combine_channels(
        "rgb", [files["B"], files["R"], files["G"]], settings=ChannelSettings(in_order=True), reference=files["L"]
    )
    np.testing.assert_allclose(given.image.data[0], right.image.data[2])


def test_only_what_all_cover_if_asked(files):
    settings = ChannelSettings(framing="common")
    image = combine_channels("rgb", [files[n] for n in "RGB"], settings=settings, reference=files["L"]).image
    assert image.shape[1] < 120
    assert image.shape[2] < 160
    assert image.good.mean() > 0.999


def test_images_without_stars_say_what_to_do(files):
    flat = Image(np.random.default_rng(1).normal(100, 1, (120, 160)))
    with pytest.raises(InputError, match=r"cannot be brought onto .* --align none"):
        combine_channels("rgb", [files["R"], flat, files["B"]])
    with pytest.raises(InputError, match="without aligning they must be equal"):
        combine_channels("rgb", [flat, Image(np.ones((3, 3))), flat], settings=AS_THEY_LIE)


def grey(value=None, seed=1):
    data = np.random.default_rng(seed).uniform(0.1, 0.6, (1, 40, 50)) if value is None else value
    return Image(data, variance=np.full(data.shape, 1e-6), unit=PixelUnit.NORMALISED)


SAME = ["lrgb", "llrgb", "lbrgb", "vrgb", "vvrgb", "vbrgb", "yrgb", "hargb", "havrgb", "slum", "rgb", "hgb"]


@pytest.mark.parametrize("mode", SAME)
def test_equal_inputs_come_out_as_they_are(mode):
    image = grey()
    for roles in MODES[mode].roles:
        given = [grey(np.repeat(image.data, 3, axis=0)) if role == "RGB" else image for role in roles]
        out = combine_channels(mode, given, settings=AS_THEY_LIE).image
        np.testing.assert_allclose(out.data, np.broadcast_to(image.data, out.shape), atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_runs_on_its_images(mode):
    for roles in MODES[mode].roles:
        count = 3 if roles[0].endswith("*") else len(roles)
        given = [field(None, k) for k in range(count)]
        if "RGB" in roles:
            given[roles.index("RGB")] = Image(np.concatenate([field(None, k).data for k in range(3)]))
        extra = {"matrix": "1/0/0/0/1/0/0/0/1"} if mode == "matrix" else {}
        result = combine_channels(mode, given, extra, AS_THEY_LIE)
        assert np.isfinite(result.image.data).all()
        assert result.roles[0] == roles[0] or roles[0].endswith("*")


def test_every_chain_changes_the_result():
    """The earlier program read the steps for hydrogen's brightness and never used them."""
    images = [grey(seed=k) for k in range(5)]
    plain = combine_channels("hargb", images, settings=AS_THEY_LIE).image.data
    for part in ("color", "luminance", "ha", "ha-luminance", "after"):
        step = "color:saturation:factor=2" if part == "color" else "nr:gaussian"
        changed = combine_channels("hargb", images, settings=AS_THEY_LIE, chains={part: [step]}).image.data
        assert np.abs(changed - plain).max() > 1e-3, part
    with pytest.raises(SpecError, match="the mode has none"):
        combine_channels("rgb", images[:3], settings=AS_THEY_LIE, chains={"ha": ["nr:gaussian"]})


@pytest.mark.parametrize(
    ("mode", "arguments"),
    [("llrgb", {"lum_w": "3"}), ("llrgb", {"rgb_w": "0.2"}), ("lrgb", {"l_fit": "true"}), ("lrgb", {"v_fit": "true"}),
     ("hargb", {"ha_w": "3"}), ("hargb", {"r_w": "3"}), ("hargb", {"ha_s": "2"}), ("hargb", {"luminance": "none"}),
     ("slum", {"weight": "3"}), ("slum", {"mode": "screen"}), ("add", {"weights": "1/2/3/4"}), ("add", {"fit": "true"}),
     ("hdr", {"gamma": "1"})],
)  # fmt: skip
def test_every_argument_has_its_effect(mode, arguments):
    images = [grey(seed=k) for k in range(4)]
    plain = combine_channels(mode, images, settings=AS_THEY_LIE).image.data
    changed = combine_channels(mode, images, arguments, AS_THEY_LIE).image.data
    assert np.abs(changed - plain).max() > 1e-4


def test_arguments_that_nothing_takes_are_errors():
    images = [grey(seed=k) for k in range(4)]
    with pytest.raises(SpecError, match="nothing here takes 'wieght'; did you mean weight"):
        combine_channels("slum", images, {"wieght": 2}, AS_THEY_LIE)
    with pytest.raises(SpecError, match="no mode 'lrgbb'; did you mean lrgb"):
        combine_channels("lrgbb", images)
    with pytest.raises(InputError, match="it takes L R G B or L RGB"):
        combine_channels("lrgb", images[:3])


def test_the_record_says_what_was_done(files, tmp_path):
    record = combine_channels("slum", [files[n] for n in "LRGB"]).provenance()
    assert [i["role"] for i in record["inputs"]] == ["L", "R", "G", "B"]
    assert record["inputs"][1]["matched"] > 10
    # Wherever its reader stands, the inputs are found, and told from others of their name.
    assert [(i["file"], i["xxh128"]) for i in record["inputs"]] == [
        (str(Path(files[n]).resolve()), known_hash(files[n])) for n in "LRGB"
    ]
    path = write(tmp_path / "slum.fits", Image(np.ones((9, 9))), provenance=record)
    text = explain_text(lineage_of(path))
    assert text.splitlines()[0] == "slum.fits: slum of 4 images"
    assert "Images (4)" in text
    assert any(step.startswith("color:superluminance@1:") for step in record["steps"])


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("Red", "R"),
        ("Ha 3nm", "Ha"),
        ("H-alpha", "Ha"),
        ("O III", "OIII"),
        ("SII_6nm", "SII"),
        ("Lum", "L"),
        ("V", None),
    ],
)
def test_roles_of_filters(name, role):
    assert role_of(Image([[1.0]], meta=Meta(filter=name))) == role


def test_stars_are_transplanted():
    """Sharp stars of one image take the place of the soft ones of another."""
    y, x = np.mgrid[:120, :160]

    def sky(width, level):
        light = np.full((120, 160), level) + 0.2 * x
        for cx, cy, flux in STARS[:25]:
            light += flux / width**2 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
        return Image(light + np.random.default_rng(3).normal(0, 1, light.shape), meta=Meta(saturation=60000.0))

    sharp, soft = sky(1.4, 100.0), sky(2.4, 250.0)
    out = combine_channels("star_transplant", [sharp, soft], settings=AS_THEY_LIE).image.data[0]
    background = np.median(out - (250 + 0.2 * x))
    assert abs(background) < 1
    for cx, cy, _ in STARS[STARS[:, 2].argsort()[-6:]]:
        if any(np.hypot(cx - a, cy - b) < 12 for a, b, _ in STARS if (a, b) != (cx, cy)):
            continue
        i, j = round(cx), round(cy)
        if (i, j) in {(round(a), round(b)) for a, b, _ in STARS[:25]}:
            wanted = sharp.data[0, j, i] - 100 - 0.2 * i
            assert out[j, i] - 250 - 0.2 * i == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize(("shift", "moved"), [(0.03, False), (0.2, True)])
def test_what_lies_on_the_reference_to_hundredths_is_taken_as_it_is(shift, moved):
    images = [field("R", 1), field("G", 2, dx=shift), field("B", 3)]
    # Brighter stars, whose places are sure to a hundredth.
    images = [image.replace(data=100 + 20 * (image.data - 100)) for image in images]
    result = combine_channels("rgb", images)
    assert (result.registrations[1] is not None) == moved
    assert np.array_equal(result.image.data[1], images[1].data[0]) != moved
    assert np.array_equal(result.image.data[2], images[2].data[0])


def cloud(dx=0, turned=False, seed=1):
    """A nebula of threads without a star, moved by whole pixels."""
    texture = np.random.default_rng(20).normal(0, 1, (190, 220))
    for axis in (0, 1):
        kernel = np.exp(-(np.arange(-9, 10) ** 2) / (2 * 2.5**2))
        texture = np.apply_along_axis(np.convolve, axis, texture, kernel / kernel.sum(), "same")
    plane = 500 + 400 * texture[20:140, 20 - dx : 180 - dx] + np.random.default_rng(seed).normal(0, 1, (120, 160))
    return Image(plane[::-1, ::-1] if turned else plane)


@pytest.mark.parametrize("turned", [False, True])
def test_clouds_without_stars_by_phase_correlation(turned):
    given = [cloud(), cloud(5, turned, 2), cloud(-4, seed=3)]
    result = combine_channels("rgb", given, settings=ChannelSettings(align="phase"))
    inner = result.image.data[:, 12:-12, 12:-12]
    for channel in inner[1:]:
        assert np.std(channel - inner[0]) < 3
    assert "phase correlation" in result.notes[0]
    assert ("other side of the pier" in result.notes[0]) == turned
    with pytest.raises(InputError, match="cannot be brought onto image 1: phase correlation"):
        combine_channels("rgb", [cloud(), Image(np.ones((120, 160))), cloud()], settings=ChannelSettings(align="phase"))


def test_the_moon_by_features(files):
    given = [read(files["L"]), read(files["R"]), read(files["B"])]
    result = combine_channels("rgb", given, settings=ChannelSettings(align="features"))
    assert all("features" in note for note in result.notes if "moved by" in note)
    reference = peaks(read(files["L"]).data[0])
    np.testing.assert_allclose(peaks(result.image.data[1]), 0.5 * reference, rtol=0.2)
