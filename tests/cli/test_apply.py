"""`firstlight apply`: steps from a file to a file."""

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from firstlight import apply, read, write
from firstlight.cli.main import run
from firstlight.model.image import Image, State
from firstlight.model.meta import Kind, Meta


@pytest.fixture
def light(tmp_path):
    data = np.random.default_rng(1).normal(1000, 10, (40, 60)).astype(np.float32)
    data[10:13, 20:23] += 5000
    return write(tmp_path / "light.fits", Image(data, meta=Meta(kind=Kind.LIGHT)))


def refused(arguments, words, capsys):
    assert run([str(a) for a in arguments]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1


def test_the_result_is_that_of_the_library(light, tmp_path):
    out = tmp_path / "out.fits"
    steps = ["crop:region:x=4,y=2", "stretch:asinh:beta=30"]
    assert run(["apply", str(light), str(out), *steps]) == 0
    expected = apply(read(light), *steps)
    result = read(out)
    np.testing.assert_array_equal(result.data, expected.data)
    assert result.state == expected.state
    assert result.history == expected.history


def test_steps_are_checked_before_anything_is_read(tmp_path, capsys):
    missing = tmp_path / "missing.fits"
    refused(["apply", missing, "o.fits", "stretch:asinh:bta=3"], "did you mean beta?", capsys)
    refused(["apply", missing, "o.fits", "stretch:asinh:beta=0"], "beta='0'", capsys)
    refused(["apply", missing, tmp_path / "o.fits", "stretch:asinh"], "there is no such file", capsys)


def test_a_linear_image_is_not_written_for_the_eye(light, tmp_path, capsys):
    out = tmp_path / "out.png"
    refused(["apply", light, out, "abr:polynomial"], "add a stretch as the last step (stretch:asinh, ", capsys)
    assert not out.exists()
    assert run(["apply", str(light), str(out), "stretch:midtones"]) == 0
    assert out.read_bytes()[1:4] == b"PNG"


def test_nothing_is_overwritten_unasked(light, tmp_path, capsys):
    before = light.read_bytes()
    for also in ([], ["--overwrite"]):
        refused(["apply", light, light, "stretch:gamma", *also], "this is an input, which is never replaced", capsys)
    out = tmp_path / "out.fits"
    out.write_text("precious")
    refused(["apply", light, out, "stretch:gamma"], "exists already", capsys)
    assert (light.read_bytes(), out.read_text()) == (before, "precious")
    assert run(["apply", str(light), str(out), "stretch:gamma", "--overwrite"]) == 0
    assert read(out).state == "stretched"
    refused(["apply", light, out / "o.fits", "stretch:gamma"], "where a folder is needed", capsys)


def test_further_frames_by_name(light, tmp_path, capsys):
    bias = write(tmp_path / "bias.fits", Image(np.full((40, 60), 100.0), meta=Meta(kind=Kind.MASTER_BIAS)))
    out = tmp_path / "out.fits"
    assert run(["apply", str(light), str(out), "cal:subtractbias", "--frame", f"bias={bias}"]) == 0
    np.testing.assert_allclose(read(out).data, read(light).data - 100)
    wrong = ["apply", light, tmp_path / "o.fits"]
    refused([*wrong, "cal:subtractbias"], "a bias is needed: give it as --frame bias=FILE", capsys)
    refused([*wrong, "stretch:gamma", "--frame", f"bias={bias}"], "none of the steps takes a bias", capsys)
    refused([*wrong, "cal:subtractbias", "--frame", "bias"], "write NAME=FILE", capsys)
    refused([*wrong, "cal:subtractbias", "--frame", "bias=none.fits"], "none.fits: there is no such file", capsys)


def test_broken_input_is_one_paragraph(tmp_path, capsys):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(b"SIMPLE  =")
    refused(["apply", bad, tmp_path / "o.fits", "stretch:gamma"], "bad.fits", capsys)


def test_a_chain_from_a_file(light, tmp_path):
    chain = tmp_path / "chain.toml"
    chain.write_text('steps = ["nr:gaussian:sigma=2"]\n')
    out = tmp_path / "out.fits"
    assert run(["apply", str(light), str(out), "--chain", str(chain), "stretch:gamma"]) == 0
    np.testing.assert_array_equal(read(out).data, apply(read(light), "nr:gaussian:sigma=2", "stretch:gamma").data)


def test_without_steps(light, tmp_path, capsys):
    refused(["apply", light, tmp_path / "o.fits"], "no steps; name at least one", capsys)


def test_a_preview_and_a_comparison(light, tmp_path):
    out, both = tmp_path / "preview.png", tmp_path / "both.png"
    assert run(["apply", str(light), str(out), "nr:gaussian:sigma=2", "--preview", "--compare", str(both)]) == 0
    assert read(out).shape == (1, 40, 60)
    assert read(both).shape[2] > 120


def test_bands(light, tmp_path, capsys):
    out = tmp_path / "out.fits"
    assert run(["apply", str(light), str(out), "nr:gaussian", "stretch:midtones", "--bands"]) == 0
    np.testing.assert_allclose(read(out).data, apply(read(light), "nr:gaussian", "stretch:midtones").data, atol=1e-5)
    refused(["apply", light, tmp_path / "o.fits", "contrast:clahe", "--bands"], "looks at the whole frame", capsys)
    mask = ["--frame", f"mask={light}", "--bands"]
    refused(["apply", light, tmp_path / "o.fits", "abr:polynomial", *mask], "takes further ones", capsys)
    refused(["apply", light, tmp_path / "o.tif", "stretch:gamma", "--bands"], "only FITS is written", capsys)


RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))


def test_a_linear_picture_of_8_bits(tmp_path):
    Pillow.fromarray(RAMP).save(tmp_path / "guide.png")
    assert read(tmp_path / "guide.png").state is State.STRETCHED
    out = tmp_path / "guide.fits"
    steps = ["cal:constant:do=multiply,value=255"]
    assert run(["apply", str(tmp_path / "guide.png"), str(out), "abr:uniform"]) == 2
    assert run(["apply", str(tmp_path / "guide.png"), str(out), "stretch:linear:inverse=true", *steps]) == 0
    image = read(out)
    assert image.state is State.LINEAR
    np.testing.assert_allclose(image.data[0], RAMP, atol=1e-4)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_a_finished_picture_keeps_its_brightness(tmp_path, name):
    # Values of 0 to 255 were taken for 0 to 1, and all came out white.
    Pillow.fromarray(np.stack([RAMP, RAMP // 2, RAMP // 4], -1)).save(tmp_path / name)
    before = np.asarray(Pillow.open(tmp_path / name)).astype(int)
    assert run(["apply", str(tmp_path / name), str(tmp_path / "out.png"), "color:saturation:factor=1"]) == 0
    assert np.abs(np.asarray(Pillow.open(tmp_path / "out.png")) - before).max() <= 1
    assert run(["picture", str(tmp_path / name), str(tmp_path / "shown.png")]) == 0
    assert np.abs(np.asarray(Pillow.open(tmp_path / "shown.png")) - before).max() <= 1


@pytest.mark.parametrize("ending", ["fits", "png"])
def test_a_stretched_picture_of_16_bits(tmp_path, ending):
    values = RAMP.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "shown.tif", values)
    assert read(tmp_path / "shown.tif").state is State.LINEAR
    out = tmp_path / f"out.{ending}"
    if ending == "png":
        assert run(["apply", str(tmp_path / "shown.tif"), str(out), "meta:nothing"]) == 2
        assert run(["apply", str(tmp_path / "shown.tif"), str(out), "stretch:linear"]) == 0
        np.testing.assert_array_equal(np.asarray(Pillow.open(out)), RAMP)
        return
    steps = ["stretch:linear", "stretch:srgb:inverse=true"]
    assert run(["apply", str(tmp_path / "shown.tif"), str(out), *steps]) == 0
    coded = RAMP[0] / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(read(out).data[0, 0], light, atol=1e-6)
