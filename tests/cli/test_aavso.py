"""``firstlight aavso`` says which lines break a rule."""

from firstlight.cli.main import run

HEAD = "#TYPE=Extended\n#OBSCODE=TST01\n#SOFTWARE=test\n#DELIM=,\n#DATE=JD\n#OBSTYPE=CCD\n"
GOOD = "SS CYG,2450702.1234,11.135,0.003,V,NO,STD,105,na,110,11.2,1.5,na,X16382L,na\n"


def test_valid_and_broken_reports(tmp_path, capsys):
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text(HEAD + GOOD)
    bad.write_text(HEAD + GOOD.replace("1.5", "1.23456789"))
    assert run(["aavso", str(good)]) == 0
    assert "good.txt: valid" in capsys.readouterr().out
    assert run(["aavso", str(good), str(bad)]) == 1
    assert "bad.txt: line 7: AMASS has 10 characters" in capsys.readouterr().out
    assert run(["aavso", str(tmp_path / "none.txt")]) == 2
