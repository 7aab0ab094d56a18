from firstlight.cli.main import run
from firstlight.simulate.night import preset, simulate


def test_plan_tells_all_and_writes_nothing(tmp_path, capsys):
    simulate(tmp_path / "night", preset("tiny").model_copy(update={"n_lights": 3}))
    before = sorted(tmp_path.rglob("*"))
    assert run(["plan", str(tmp_path / "night")]) == 0
    text = capsys.readouterr().out
    for words in (
        "3 light      by IMAGETYP",
        "master_flat_L_-10C_gain100: 6 frames, minus master_bias",
        "bias: not needed, the dark holds it",
        "Products: about",
    ):
        assert words in text
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_to_plan_with(tmp_path, capsys):
    (tmp_path / "a.fits").write_bytes(b"")
    assert run(["plan", str(tmp_path), "-q"]) == 2
    assert "No frame can be used: nothing will be made." in capsys.readouterr().out
