"""AAVSO's format: what we write is valid, and every rule is kept."""

import pytest

from firstlight.errors import InputError
from firstlight.io.aavso import Observation, check_aavso, check_aavso_file, write_aavso

HEAD = "#TYPE=Extended\n#OBSCODE=TST01\n#SOFTWARE=test\n#DELIM=,\n#DATE=JD\n#OBSTYPE=CCD\n"
GOOD = "SS CYG,2450702.1234,11.135,0.003,V,NO,STD,105,na,110,11.2,1.5,na,X16382L,na"


def test_the_example_of_the_format_is_valid():
    assert check_aavso(HEAD + GOOD + "\n") == []
    assert check_aavso(HEAD.replace("#DELIM=,", "#DELIM=;") + GOOD.replace(",", ";")) == []
    assert check_aavso(HEAD.replace("#DELIM=,", "#DELIM=124") + GOOD.replace(",", "|")) == []
    assert check_aavso(HEAD + GOOD.replace("11.135,0.003", "<11.1,na")) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("0.003", "0.00312", "MERR has 7"),
        ("1.5,na", "1.2345678,na", "AMASS has 9"),
        ("11.135", "11.1351234", "MAG has 10"),
        ("11.135", "11", "MAG"),
        ("11.135", "bright", "MAG"),
        ("2450702.1234", "50702.1234", "no Julian date"),
        ("2450702.1234", "2450702.1234567890", "DATE has 18"),
        (",V,", ",UHC,", "FILT"),
        (",NO,", ",MAYBE,", "TRANS"),
        (",STD,", ",ABC,", "MTYPE"),
        (",STD,105,", ",DIF,na,", "CNAME"),
        (",105,na,", ",ENSEMBLE,10.5,", "CMAG must be na"),
        ("SS CYG", "na", "NAME"),
        ("SS CYG", "A star with a name that is far too long", "NAME has"),
        ("X16382L,na", "X16382L", "14 fields"),
        ("11.2", "", "KMAG is empty"),
        ("X16382L", "X16382é", "ASCII"),
    ],
)
def test_each_rule_is_kept(old, new, words):
    assert old in GOOD
    faults = check_aavso(HEAD + GOOD.replace(old, new, 1))
    assert any(words in fault for fault in faults), faults
    assert all(fault.startswith("line 7: ") for fault in faults)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no observation"),
        (GOOD, "#TYPE= is missing"),
        (HEAD.replace("TST01", "") + GOOD, "#OBSCODE= is missing"),
        (HEAD.replace("=JD", "=MJD") + GOOD, "JD, HJD and EXCEL"),
        (HEAD.replace("=CCD", "=EYE") + GOOD, "OBSTYPE"),
        (HEAD + "\n" + GOOD, "is empty"),
    ],
)
def test_the_head_is_held_to_the_rules(text, words):
    assert any(words in fault for fault in check_aavso(text)), check_aavso(text)


def test_what_is_written_is_valid_whatever_the_names_and_numbers(tmp_path):
    observations = [
        Observation(
            "A name, with commas and é that is rather too long for it", 2461058.123456789, 10.123456, 0.00123456, "CV",
            is_standard=False, check="J000000+000000 a very long name", check_magnitude=11.123456,
            airmass=1.23456789, notes="x" * 5000,
        ),
        Observation("T CrB", 2461058.2, -1.5, None, "V", airmass=float("nan"), is_fainter=True),
        Observation("T CrB", 2461058.3, 15.0, 123.0, "V"),
    ]  # fmt: skip
    path = write_aavso(tmp_path / "r.txt", observations, observer_code="ABCD", software="firstlight", remarks=["a\nb"])
    assert check_aavso_file(path) == []
    rows = [line.split(",") for line in path.read_text().splitlines() if not line.startswith("#")]
    assert rows[0][3] == "0.0012"
    assert rows[0][11] == "1.235"
    assert rows[1][2:4] == ["<-1.5000", "na"]


def test_a_report_that_breaks_a_rule_is_not_written(tmp_path):
    with pytest.raises(InputError, match="OBSCODE"):
        write_aavso(
            tmp_path / "r.txt", [Observation("X", 2461058.0, 10.0, 0.1, "V")], observer_code="TOO LONG", software="x"
        )
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_text_is_no_report(tmp_path):
    """An image would break a rule in each of its thousands of lines."""
    (tmp_path / "l.fits").write_bytes(b"SIMPLE  =" + bytes(2880) + b"\n" * 99)
    with pytest.raises(InputError, match=r"l\.fits: is no text; give a report"):
        check_aavso_file(tmp_path / "l.fits")


def test_the_name_of_the_file_counts(tmp_path):
    path = tmp_path / "report.dat"
    path.write_text(HEAD + GOOD)
    assert check_aavso_file(path) == ["report.dat: must end with .txt, .csv or .tsv"]
    with pytest.raises(InputError, match="cannot be read"):
        check_aavso_file(tmp_path / "none.txt")
