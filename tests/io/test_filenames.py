"""Names as telescopes and programs write them; all but the last two groups were found in the wild."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.io.filenames import GRAMMARS, facts
from firstlight.io.header import meta_from_header
from firstlight.io.read import open_frame
from firstlight.model.meta import Kind

NAMES = {
    "raw-T31-davestrickland-webb-20211229-024225-Green-BIN1-W-300-001.fit": {
        "telescope": "T31", "observer": "davestrickland", "target": "webb", "filter": "Green", "binning": (1, 1),
        "pier_side": "west", "exposure": 300.0,
    },
    "raw-T05-davestrickland-NGC_6888-20200716-231744-Ha-BIN1-E-180-001.fit": {
        "telescope": "T5", "observer": "davestrickland", "target": "NGC 6888", "filter": "Ha", "binning": (1, 1),
        "pier_side": "east", "exposure": 180.0,
    },
    "T24-observer1-Bias-000-LD20250203-LT171434-BIN1.fit": {
        "telescope": "T24", "observer": "observer1", "kind": Kind.BIAS, "exposure": 0.0, "binning": (1, 1),
    },
    "T24-observer1-Dark-300-LD20250203-LT155037-BIN1.fit": {
        "telescope": "T24", "observer": "observer1", "kind": Kind.DARK, "exposure": 300.0, "binning": (1, 1),
    },
    "Calibrated-iTelescope-Whale_Galaxy_NGC_55-900s-Red-5.fits": {
        "target": "Whale Galaxy NGC 55", "exposure": 900.0, "filter": "Red",
    },
    "Light_M42_10.0s_Bin1_S_gain360_20240320-203324_-10.0C_0001.fit": {
        "kind": Kind.LIGHT, "target": "M42", "exposure": 10.0, "binning": (1, 1), "filter": "S", "gain_setting": 360.0,
        "temperature": -10.0,
    },
    "Light_NGC 6960_180.0s_Bin1_2600MM_H_gain100_20260727-052000_12deg_0.0C_0001.fit": {
        "kind": Kind.LIGHT, "target": "NGC 6960", "exposure": 180.0, "binning": (1, 1), "filter": "H",
        "gain_setting": 100.0, "temperature": 0.0,
    },
    "Light_M 81_180.0s_Bin1_585MC_gain200_20260219-220000_-20.0C_L-Pro_0001.fit": {
        "kind": Kind.LIGHT, "target": "M 81", "exposure": 180.0, "binning": (1, 1), "filter": "L-Pro",
        "gain_setting": 200.0, "temperature": -20.0,
    },
    "Light_FOV_180.0s_Bin1_678MC_20241226-001229_0001.fit": {
        "kind": Kind.LIGHT, "exposure": 180.0, "binning": (1, 1),
    },
    "Flat_33.3ms_Bin1_2600MC_gain100_20260320-061616_286deg_0001.fit": {
        "kind": Kind.FLAT, "exposure": 0.0333, "binning": (1, 1), "gain_setting": 100.0,
    },
    "Dark_180.0s_Bin1_183MC_gain111_20260411-215400_-10.0C_0025.fit": {
        "kind": Kind.DARK, "exposure": 180.0, "binning": (1, 1), "gain_setting": 111.0, "temperature": -10.0,
    },
    "Light_M 31_10.0s_IRCUT_20240101-213344.fit": {
        "kind": Kind.LIGHT, "target": "M 31", "exposure": 10.0, "filter": "IRCUT",
    },
    "2016-01-01_12-00-00_L_-10.00_300.00s_0001.fits": {"filter": "L", "temperature": -10.0, "exposure": 300.0},
    "2016-01-01_12-00-00__-10.00_300.00s_0001.fits": {"temperature": -10.0, "exposure": 300.0},
    "lsc1m005-fa15-20200331-0103-e91.fits.fz": {"telescope": "lsc1m005", "camera": "fa15", "kind": Kind.LIGHT},
    "StarGateCluster_030_sec_1x1_0001.fit.fz": {"target": "StarGateCluster", "exposure": 30.0, "binning": (1, 1)},
    "flat_Ha_001.fits": {"kind": Kind.FLAT, "filter": "Ha"},
    # Names that say nothing of this kind.
    "light_012.fits": {},
    "Light_1069.fits.fz": {},
    "dark_300_001.fits": {},
    "M31_1.fits": {},
    "HATP-32171220013343.FITS.fz": {},
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_name(name):
    found = list(facts(Path(name)))
    assert {field: value for field, value, _ in found} == NAMES[name]
    assert all(source == f"file name '{name}'" for _, _, source in found)


def test_every_grammar_reads_a_name():
    used = {next((g.name for g in GRAMMARS if g.pattern.match(name)), "") for name in NAMES}
    assert used - {""} == {grammar.name for grammar in GRAMMARS}


def test_only_the_base_name_counts():
    path = Path("raw-T31-me-M8-20260117-013000-Ha-BIN1-W-300-001.fit/my-M8-data/light_001.fits")
    assert list(facts(path)) == []


def test_mosaic_suffix_and_dashes_of_the_target():
    name = "raw-T31-jdoe-Sh2-155_x1_y-2-20210907-131415-Ha-BIN1-W-300-001.fit"
    said = {field: value for field, value, _ in facts(Path(name))}
    assert said["target"] == "Sh2-155"


def test_the_time_in_an_itelescope_name_is_not_utc():
    """DATE-OBS of this very file is 15:42:46 UTC of the 29th: its name tells the local time with the date of UTC."""
    name = Path("raw-T31-davestrickland-webb-20211229-024225-Green-BIN1-W-300-001.fit")
    assert meta_from_header([], name, (1, 2, 2)).start is None


def test_the_header_wins():
    name = Path("raw-T31-jdoe-M8-20210907-131415-Ha-BIN1-W-300-001.fit")
    meta = meta_from_header([("FILTER", "OIII", ""), ("OBJECT", "  ", "")], name, (1, 2, 2))
    assert (meta.filter, meta.sources["filter"]) == ("OIII", "FILTER")
    assert (meta.target, meta.sources["target"]) == ("M8", f"file name '{name}'")


def test_real_frames_without_object(real_data):
    meta = open_frame(real_data("stargate_ssdsi2") / "StarGateCluster_030_sec_1x1_0001.fit.fz").meta
    assert (meta.target, meta.exposure) == ("StarGateCluster", 30.0)
