"""Tables and YAML files beside the frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.errors import InputError
from firstlight.io.header import meta_from_header
from firstlight.io.side_files import enriched, find_side_files, keyword_of, read_side_file

SHAPE = (1, 100, 100)


def put(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def meta_of(cards, path, *files, shape=SHAPE):
    meta = meta_from_header([(k, v, "") for k, v in cards.items()], Path(path), shape)
    return enriched(meta, Path(path), shape, [read_side_file(f) for f in files])


def test_a_table_fills_and_overrides(tmp_path):
    table = put(tmp_path / "metadata.csv", "NAME,OBJECT,FILTER!,PIERSIDE,WEIGHT\nM31_*.fit,M 31,L,West,0.5\n")
    meta = meta_of({"FILTER": "Visible", "EXPTIME": 5}, "M31_001.fit", table)
    assert (meta.target, meta.filter, meta.pier_side) == ("M 31", "L", "west")
    assert meta.sources["target"] == "metadata.csv: OBJECT"
    assert ("WEIGHT", 0.5, "") in meta.cards
    assert meta_of({}, "M32_001.fit", table).target is None


def test_the_header_is_kept_and_the_difference_said(tmp_path):
    table = put(tmp_path / "metadata.csv", "NAME;OBJECT;EXPTIME\na.fits;M 31;60\n")
    meta = meta_of({"OBJECT": "M 33", "EXPTIME": 60.0}, "a.fits", table)
    assert meta.target == "M 33"
    (note,) = meta.notes
    assert "says target M 31, the header M 33" in note
    assert "OBJECT!" in note


def test_yaml(tmp_path):
    side = put(
        tmp_path / "metadata.yaml",
        "---\nobserver: Edwin Hubble\ndate-obs: 2022-01-31T03:31:24\ngain: 1.245\ntarget: UDF\nlist: [1, 2]\n"
        'frames: {"flat_*.fits": {filter: Ha}}\noverride: {FILTER: V}\n...\n',
    )
    meta = meta_of({"FILTER": "Clear"}, "light_1.fits", side)
    assert (meta.observer, meta.gain, meta.target, meta.filter) == ("Edwin Hubble", 1.245, "UDF", "V")
    assert meta.start.isoformat() == "2022-01-31T03:31:24+00:00"
    assert meta_of({}, "flat_1.fits.fz", side).filter == "V"
    assert not any(card[0] == "LIST" for card in meta.cards)


def test_names_are_found_with_and_without_endings(tmp_path):
    table = put(tmp_path / "m.csv", "NAME,OBJECT\na.fits,1st\nb,2nd\nnight2/c.fits,3rd\n")
    assert meta_of({}, "x/a.fits.fz", table).target == "1st"
    assert meta_of({}, "x/b.fits.gz", table).target == "2nd"
    assert meta_of({}, "night2/c.fits", table).target == "3rd"
    assert meta_of({}, "night1/c.fits", table).target is None
    assert read_side_file(table).idle([Path("a.fits"), Path("night1/c.fits")]) == ["b", "night2/c.fits"]


def test_a_file_name_is_weaker_and_the_nearest_file_wins(tmp_path):
    inner = tmp_path / "lights"
    inner.mkdir()
    put(tmp_path / "metadata.csv", "NAME,FILTER\n*,outer\n")
    put(inner / "metadata.yaml", "FILTER: inner\nOBSERVER: me\n")
    found = find_side_files(inner, tmp_path)
    assert [f.parent.name for f in found] == ["lights", tmp_path.name]
    meta = meta_of({}, "raw-T31-jdoe-M8-20210907-131415-Ha-BIN1-W-300-001.fit", *found)
    assert (meta.filter, meta.observer) == ("inner", "me")
    assert meta.notes == ()


def test_the_pattern_of_a_side_file_is_read_like_that_of_a_header(tmp_path):
    side = put(tmp_path / "metadata.yaml", "cfa: RGGB\n")
    assert meta_of({"ROWORDER": "BOTTOM-UP"}, "a.fits", side).cfa == "GBRG"


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "OBJECT,FILTER\nM1,L\n", "no column NAME"),
        ("a.csv", "NAME,NAXIS1\na,5\n", "NAXIS1: says how the pixels are stored"),
        ("a.csv", "NAME,PEDESTAL\na,5\n", "PEDESTAL: says how the pixels are stored"),
        ("a.csv", "NAME,OB§JECT\na,5\n", "no FITS keyword"),
        ("a.csv", "NAME,OBJECT\n,M1\n", "line 2: no name"),
        ("a.yaml", "- 1\n- 2\n", "keys and values are wanted"),
        ("a.yaml", "a: [1\n", "no YAML"),
        ("a.yaml", "frames: {a: 3}\n", "names of frames"),
        ("a.json", "{}", r"\.csv, \.yaml and \.yml"),
    ],
)
def test_mistakes_are_named(tmp_path, name, text, why):
    with pytest.raises(InputError, match=why):
        read_side_file(put(tmp_path / name, text))


def test_keys():
    assert keyword_of("hierarch thing") == "HIERARCH THING"
    with pytest.raises(InputError):
        keyword_of("CHECKSUM")
