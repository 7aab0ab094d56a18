"""`firstlight apply`: steps from a file to a file."""

import numpy as np
import pytest

from firstlight import apply, read, write
from firstlight.cli.main import run
from firstlight.model.image import Image
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
    refused(["apply", light, light, "stretch:gamma"], "this is the input", capsys)
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
