"""Operations as commands: help made from the definition, the same result as the library."""

import numpy as np
import pytest
from click.testing import CliRunner

from firstlight import apply, read, write
from firstlight.cli.main import cli, run
from firstlight.model.image import Image
from firstlight.model.meta import Kind, Meta
from firstlight.ops.registry import describe, operations


@pytest.mark.parametrize("operation", operations().values(), ids=list(operations()))
def test_help_names_everything(operation):
    result = CliRunner().invoke(cli, [operation.id, "--help"])
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    assert operation.summary.replace("``", "") in text
    assert ">>>" not in text
    for row in describe(operation.params):
        assert "--" + row["name"].replace("_", "-") in text
        assert all(str(choice) in text for choice in row["choices"])
        if row["unit"]:
            assert row["unit"] in text
    for frame in operation.frames:
        assert f"--{frame} FILE" in text


def test_help_of_one_operation_reads_well():
    text = CliRunner().invoke(cli, ["stretch:asinh", "--help"]).output
    assert text.startswith("Usage: firstlight stretch:asinh IN OUT [OPTIONS]\n\n  Brighten faint light")
    assert "  --beta       100         > 0, <= 1e+06  " in text
    assert "--luminance  human       human | equal" in text


@pytest.fixture
def light(tmp_path):
    data = np.random.default_rng(1).normal(1000, 10, (20, 30)).astype(np.float32)
    return write(tmp_path / "light.fits", Image(data, meta=Meta(kind=Kind.LIGHT, exposure=2.0)))


def test_parameters_frames_and_switches(light, tmp_path):
    out = tmp_path / "out.fits"
    assert run(["stretch:asinh", str(light), str(out), "--beta", "80", "--black=-0.1"]) == 0
    expected = apply(read(light), "stretch:asinh:beta=80,black=-0.1")
    np.testing.assert_array_equal(read(out).data, expected.data)
    meta = Meta(kind=Kind.MASTER_DARK, exposure=1.0, calibrated=frozenset({"bias"}))
    dark = write(tmp_path / "dark.fits", Image(np.full((20, 30), 5.0), meta=meta))
    second = tmp_path / "second.fits"
    assert run(["cal:subtractdark", str(light), str(second), "--dark", str(dark), "--scale-exposure"]) == 0
    np.testing.assert_allclose(read(second).data, read(light).data - 10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--beta", "0"], "stretch:asinh: beta=0.0: input should be greater than 0"),
        (["--luminance", "rec"], "luminance='rec'"),
        (["--bta", "3"], "did you mean one of: '--beta'"),
        (["--beta", "many"], "'many' is not a valid float"),
    ],
)
def test_wrong_values_are_explained(light, tmp_path, arguments, words, capsys):
    assert run(["stretch:asinh", str(light), str(tmp_path / "o.fits"), *arguments]) == 2
    assert words in capsys.readouterr().err.lower()
    assert not (tmp_path / "o.fits").exists()
