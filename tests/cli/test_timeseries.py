"""``firstlight timeseries`` as it is called."""

from firstlight.cli.main import run
from star_field import write_series


def test_a_curve_and_its_report(tmp_path, capsys):
    x, y, _, _ = write_series(tmp_path / "n", n=8, depth=0.0)
    place = f"{x[0]:.1f},{y[0]:.1f}"
    code = run(["timeseries", str(tmp_path / "n"), "--target", place, "--library", "none", "-q", "--no-solve",
                "--apertures-choice", "fixed", "--apertures-radius", "7", "--no-floor"])  # fmt: skip
    out = capsys.readouterr().out
    assert code == 0
    assert "Aperture: radius 7 px" in out
    assert "(not in the errors)" in out
    assert str(tmp_path / "n" / "firstlight" / "timeseries" / "Test_b_V.csv") in out


def test_what_the_user_can_put_right(tmp_path, capsys):
    assert run(["timeseries", str(tmp_path / "none"), "--target", "1,1"]) == 2
    assert run(["timeseries", str(tmp_path), "--target", "1,1"]) == 2
    assert run(["timeseries", str(tmp_path), "--detrend", "airmas"]) == 2
    assert "did you mean airmass" in capsys.readouterr().err
