"""A corpus of headers as real programs write them, each reading compared with a written truth."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from firstlight.io.cards import parse_cards
from firstlight.io.header import meta_from_header
from firstlight.io.read import find_files, open_frame
from firstlight.model.meta import Kind, Meta

SHAPE = (1, 100, 120)


def meta(text: str, path: str = "x.fits", shape: tuple[int, int, int] = SHAPE) -> Meta:
    """Meta of header lines as they stand in a file."""
    lines = [line for line in text.strip("\n").splitlines() if line.strip()]
    header = "".join(f"{line:80.80}" for line in lines) + "END".ljust(80)
    return meta_from_header(parse_cards(header.encode("latin-1")), Path(path), shape)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)


CORPUS = {
    "maxim": (
        """
INSTRUME= 'SBIG STL-11000 3 CCD Camera w/ AO' /
DATE-OBS= '2013-07-13T05:00:10' /YYYY-MM-DDThh:mm:ss observation start, UT
EXPTIME =   30.000000000000000 /Exposure time in seconds
EXPOSURE=   30.000000000000000 /Exposure time in seconds
SET-TEMP=  -20.000000000000000 /CCD temperature setpoint in degrees C
CCD-TEMP=  -19.800000000000001 /CCD temperature at start of exposure in degrees C
XPIXSZ  =   18.000000000000000 /Pixel Width in microns (after binning)
XBINNING=                    2 /Binning factor in width
YBINNING=                    2 /Binning factor in height
XORGSUBF=                   16 /Subframe X position in binned pixels
YORGSUBF=                    8 /Subframe Y position in binned pixels
READOUTM= 'Raw     ' /          Readout mode of image
FILTER  = 'Red     ' /          Filter used when taking image
IMAGETYP= 'Flat Field' /        Type of image
EGAIN   =  0.80000000000000004 /Electronic gain in e-/ADU
SWCREATE= 'MaxIm DL Version 5.23' /Name of software that created the image
OBJCTRA = '19 59 36' /          Nominal Right Ascension of center of image
OBJCTDEC= '-00 30 00' /         Nominal Declination of center of image
PIERSIDE= 'EAST    ' /          Side of pier telescope is on
CALSTAT = 'BDF'
""",
        {
            "kind": Kind.FLAT,
            "exposure": 30.0,
            "start": utc(2013, 7, 13, 5, 0, 10),
            "temperature": -19.8,
            "set_temperature": -20.0,
            "pixel_size": 18.0,
            "binning": (2, 2),
            "origin": (16, 8),
            "readout_mode": "Raw",
            "filter": "Red",
            "gain": 0.8,
            "gain_setting": None,
            "software": "MaxIm DL Version 5.23",
            "ra": 299.9,
            "dec": -0.5,
            "pier_side": "east",
            "calibrated": frozenset({"bias", "dark", "flat"}),
        },
    ),
    "nina": (
        """
IMAGETYP= 'LIGHT   '           / Type of exposure
EXPOSURE=                300.0 / [s] Exposure duration
EXPTIME =                300.0 / [s] Exposure duration
DATE-LOC= '2021-09-07T23:14:15.123' / Time of observation (local)
DATE-OBS= '2021-09-07T21:14:15.123' / Time of observation (UTC)
XBINNING=                    1 / X axis binning factor
YBINNING=                    1 / Y axis binning factor
GAIN    =                  100 / Sensor gain
OFFSET  =                   50 / Sensor gain offset
EGAIN   =    0.245100006461143 / [e-/ADU] Electrons per A/D unit
XPIXSZ  =                 3.76 / [um] Pixel X axis size
INSTRUME= 'ZWO ASI2600MM Pro'  / Imaging instrument name
SET-TEMP=                -10.0 / [degC] CCD temperature setpoint
CCD-TEMP=                 -9.9 / [degC] CCD temperature
READOUTM= 'Default '           / Sensor readout mode
TELESCOP= 'ESPRIT 100'         / Name of telescope
FOCALLEN=                550.0 / [mm] Focal length
RA      =     314.756250000001 / [deg] RA of telescope
DEC     =     44.3277777777778 / [deg] Declination of telescope
PIERSIDE= 'West    '           / Telescope pointing state
AIRMASS =     1.07219848189365 / Airmass at frame center (Gueymard 1993)
OBJECT  = 'NGC 7000'           / Name of the object of interest
ROTATANG=   32.099998474121094 / [deg] Rotator angle
ROWORDER= 'TOP-DOWN'           / FITS Image Orientation
SWCREATE= 'N.I.N.A. 2.0.0.9001 (x64)' / Software that created this file
""",
        {
            "kind": Kind.LIGHT,
            "exposure": 300.0,
            "start": datetime(2021, 9, 7, 21, 14, 15, 123000, tzinfo=UTC),
            "gain": 0.245100006461143,
            "gain_setting": 100.0,
            "offset": 50.0,
            "readout_mode": None,
            "telescope": "ESPRIT 100",
            "focal_length": 550.0,
            "ra": 314.756250000001,
            "target": "NGC 7000",
            "rotator": 32.099998474121094,
            "bottom_up": False,
            "pier_side": "west",
        },
    ),
    "indi": (
        """
INSTRUME= 'ZWO CCD ASI224MC'   / CCD Name
OBJECT  = 'Unknown '           / Object name
EXPTIME =                   6. / Total Exposure Time (s)
PIXSIZE1=                 3.75 / Pixel Size 1 (microns)
XBINNING=                    2 / Binning factor in width
YBINNING=                    2 / Binning factor in height
FRAME   = 'Dark    '           / Frame Type
BAYERPAT= 'RGGB    '           / Bayer color pattern
XBAYROFF=                    0 / X offset of Bayer array
YBAYROFF=                    0 / Y offset of Bayer array
GAIN    =                 180. / Gain
""",
        {
            "kind": Kind.DARK,
            "target": None,
            "exposure": 6.0,
            "pixel_size": 7.5,
            "binning": (2, 2),
            "gain": None,
            "gain_setting": 180.0,
            "cfa": "RGGB",
            "start": None,
        },
    ),
    "asiair": (
        """
CREATOR = 'ZWO ASIAIR Plus'    / Capture software
BLKLEVEL=                   40 / Camera's brightness offset
CCD-TEMP=                -10.1 / sensor temperature in C
EXPTIME =                 120. / [s] Exposure time
FILTER  = 'None    '
GAIN    =                  101 / Gain Value
IMAGETYP= 'Bias    '           / Type of image
ISO     = ''
""",
        {"kind": Kind.BIAS, "offset": 40.0, "gain_setting": 101.0, "filter": None, "software": "ZWO ASIAIR Plus"},
    ),
    "seestar": (
        """
CREATOR = 'ZWO Seestar S50'
IMAGETYP= 'Light   '
EXPTIME =                 10.0
STACKCNT=                  120
BAYERPAT= 'GRBG    '
""",
        {"kind": Kind.STACK, "n_combined": 120, "cfa": "GRBG"},
    ),
    "sharpcap": (
        """
EXP (MS)=                  500
EXPTIME = '0,5     '
COLORTYP= 'RGGB    '
BLKLEVEL=                   20
CCD-TEMP= '-9,8    '
""",
        {"exposure": 0.5, "cfa": "RGGB", "offset": 20.0, "temperature": -9.8},
    ),
    "milliseconds only": ("EXP (MS)=                  500", {"exposure": 0.5}),
    "ccdsoft": (
        """
CCDSFPT =                    4
EXPTIME = +2.30000000E+001
EGAIN   = +2.06E+000
CCD-TEMP= -5.232E+000
""",
        {"kind": Kind.FLAT, "exposure": 23.0, "gain": 2.06, "temperature": -5.232},
    ),
    "lco": (
        """
ORIGIN  = 'LCOGT   '           / Organization responsible for the data
OBSTYPE = 'EXPOSE  '           / Type of observation
GAIN    =            2.0000000 / [electrons/count] Pixel gain
RDNOISE =           14.5000000 / [electrons/pixel] Read noise
SATURATE=       125000.0000000 / [ADU] Saturation level used
CCDSUM  = '2 2     '           / CCD binning factors (x y)
CCDATEMP=          -80.0000000 / [deg C] CCD actual temperature
CCDSTEMP=          -80.0000000 / [deg C] CCD required temperature
RLEVEL  =                   91 / Reduction level of data
FILTER  = 'rp      '
""",
        {
            "kind": Kind.LIGHT,
            "gain": 2.0,
            "gain_setting": None,
            "read_noise": 14.5,
            "saturation": 125000.0,
            "binning": (2, 2),
            "temperature": -80.0,
            "calibrated": frozenset({"bias", "dark", "flat"}),
        },
    ),
    "microobservatory": (
        """
DATE-OBS= '2017-12-19T18:33:43.317-0700' / Start date & time of observation, LT
EXPTIME = 060.00 / Exposure time in Seconds
RA      =  31.312099 / 02:05.25 Right Ascension
DEC     =  46.769087 / +46:46.15 Declination
CAMTEMP = 271.0 / CCD Camera Temperature in Kelvin, =-1 if no data
""",
        {
            "start": datetime(2017, 12, 20, 1, 33, 43, 317000, tzinfo=UTC),
            "exposure": 60.0,
            "ra": 31.312099,
            "dec": 46.769087,
            "temperature": 271.0 - 273.15,
        },
    ),
    "dslr converter": (
        """
INSTRUME= 'Canon EOS 100D'
ISO     =                  800
EXPTIME =                120.4
CAMTEMP = '13 C    '           / Celsius - From CR2
FILTER  = 'RGGB    '
WHTLVLS =                12277 / From CR2
RA-MNT  =            301.56439 / Degrees
""",
        {
            "gain_setting": 800.0,
            "temperature": 13.0,
            "filter": None,
            "cfa": "RGGB",
            "saturation": 12277.0,
            "ra": 301.56439,
        },
    ),
    "gain in e-/adu": ("GAIN    =                  1.5 / gain, electrons per adu", {"gain": 1.5, "gain_setting": None}),
    "a gain with a fraction": ("GAIN    =                 1.47", {"gain": 1.47, "gain_setting": None}),
    "hours": ("RA      =                  5.5 / [hours] pointing", {"ra": 82.5}),
    "half a degree south": ("DEC     = '-00:30:00'", {"dec": -0.5}),
    "half a degree north": ("DEC     = '+00:30:00'", {"dec": 0.5}),
    "impossible": (
        "DEC     = 95.0\nAIRMASS = 0.0\nEGAIN   = 0.0\nEXPTIME = -1.0",
        {"dec": None, "airmass": None, "gain": None, "exposure": None},
    ),
    "date and time apart": ("DATE-OBS= '2001-02-03'\nTIME-OBS= '04:05:06'", {"start": utc(2001, 2, 3, 4, 5, 6)}),
    "old date": ("DATE-OBS= '03/02/98'\nUT      = '04:05:06'", {"start": utc(1998, 2, 3, 4, 5, 6)}),
    "mjd": ("MJD-OBS =              51544.5", {"start": utc(2000, 1, 1, 12)}),
    "local without zone": (
        "DATE-OBS= '2020-01-01T01:00:00' / local time\nJD      =            2451545.0",
        {"start": utc(2000, 1, 1, 12)},
    ),
    "zulu": ("DATE-OBS= '2020-01-01T01:00:00Z'", {"start": utc(2020, 1, 1, 1)}),
    "history": (
        "HISTORY Dark Subtraction(Dark 5, 1360 x 1024)\nHISTORY Flat Field (Flat 2)",
        {"calibrated": frozenset({"dark", "flat"})},
    ),
    "flags of a pipeline": (
        "BIASCORR= 'COMPLETE'\nDARKCORR= 'OMIT'\nFLATCAL =                    F",
        {"calibrated": frozenset({"bias"})},
    ),
    "a word for CALSTAT": ("CALSTAT = 'UNCALIBRATED'", {"calibrated": frozenset()}),
    "datamax of the pixels": ("DATAMAX =                65535", {"saturation": None}),
    "masters": ("IMAGETYP= 'Master Dark'", {"kind": Kind.MASTER_DARK}),
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_corpus(name):
    text, truth = CORPUS[name]
    found = meta(text)
    for field, expected in truth.items():
        value = getattr(found, field)
        assert value == (pytest.approx(expected) if isinstance(expected, float) else expected), field
        if value not in (None, (), False, frozenset()):
            assert field in found.sources


def test_nothing_said_is_nothing_known():
    bare = meta("SIMPLE  =                    T")
    assert bare == Meta(sources={}, cards=bare.cards)


def test_local_time_without_zone_is_noted():
    found = meta("DATE-OBS= '2020-01-01T01:00:00' / local time")
    assert found.start is None
    assert "offset from UTC" in found.notes[0]


@pytest.mark.parametrize(
    ("order", "x", "y", "height", "first_rows"),
    [
        ("TOP-DOWN", 0, 0, 100, "RGGB"),
        ("BOTTOM-UP", 0, 0, 100, "GBRG"),
        ("BOTTOM-UP", 0, 0, 101, "RGGB"),
        ("", 0, 0, 100, "RGGB"),
        ("TOP-DOWN", 1, 0, 100, "GRBG"),
        ("TOP-DOWN", 0, 1, 100, "GBRG"),
        ("BOTTOM-UP", 1, 1, 100, "GRBG"),
    ],
)
def test_colour_of_the_first_rows(order, x, y, height, first_rows):
    text = f"BAYERPAT= 'RGGB'\nROWORDER= '{order}'\nXBAYROFF= {x:20}\nYBAYROFF= {y:20}"
    found = meta(text, shape=(1, height, 50))
    assert found.cfa == first_rows
    assert found.bottom_up == (order == "BOTTOM-UP")


def test_a_colour_image_has_no_mosaic():
    assert meta("BAYERPAT= 'RGGB'", shape=(3, 10, 10)).cfa is None


@pytest.mark.parametrize(
    ("path", "kind", "source"),
    [
        ("night/Darks/a.fits", Kind.DARK, "folder name 'Darks'"),
        ("night/DARK/FLAT/x.fits", Kind.FLAT, "folder name 'FLAT'"),
        ("night/ORIGINAL/x.fits", Kind.LIGHT, "folder name 'ORIGINAL'"),
        ("night/Flats/Ha/x.fits", Kind.FLAT, "folder name 'Flats'"),
        ("night/Offset/x.fits", Kind.BIAS, "folder name 'Offset'"),
        ("night/DarkFlats/x.fits", Kind.DARK_FLAT, "folder name 'DarkFlats'"),
        ("night/flat_darks_2s/x.fits", Kind.DARK_FLAT, "folder name 'flat_darks_2s'"),
        ("night/Dark Shark Nebula/x.fits", Kind.UNKNOWN, None),
        ("night/x/dark_001.fits", Kind.DARK, "file name 'dark_001.fits'"),
        ("night/x/bias-Neg10-Vis.00000000.BIAS.FIT.fz", Kind.BIAS, "file name 'bias-Neg10-Vis.00000000.BIAS.FIT.fz'"),
        ("night/x/masterFlat_Ha.fits", Kind.MASTER_FLAT, "file name 'masterFlat_Ha.fits'"),
        ("night/x/flat-dark_12.fits", Kind.DARK_FLAT, "file name 'flat-dark_12.fits'"),
        ("night/x/M31.fits", Kind.UNKNOWN, None),
    ],
)
def test_kind_by_folder_and_name(path, kind, source):
    found = meta("EXPTIME =                  1.0", path)
    assert (found.kind, found.sources.get("kind")) == (kind, source)


def test_the_header_outweighs_the_folder():
    found = meta("IMAGETYP= 'Light Frame'", "Flats/flat_1.fits")
    assert (found.kind, found.sources["kind"]) == (Kind.LIGHT, "IMAGETYP")
    assert found.notes == ("IMAGETYP says light, folder name 'Flats' says flat",)


@pytest.mark.parametrize("pattern", ["CMYG", "GGRGGBGGBGGRBRGRBG", "RGBW"])
def test_a_cell_that_is_not_bayers_is_told(pattern):
    found = meta(f"BAYERPAT= '{pattern}'")
    assert found.cfa is None
    assert any(pattern in note and "taken as mono" in note for note in found.notes)


@pytest.mark.parametrize("word", ["NONE", "MONO", "GREY", "", "TRUE"])
def test_a_word_that_is_no_cell_is_no_cell(word):
    assert meta(f"BAYERPAT= '{word}'").notes == ()


def test_a_calibration_frame_is_not_calibrated():
    assert meta("", "cal_dark_001.fits").calibrated == frozenset()


def test_file_name_fills_what_the_header_lacks():
    name = "raw-T31-jdoe-NGC_253-20210907-131415-Ha-BIN1-W-300-001.fit"
    found = meta("FILTER  = 'Halpha'", name)
    assert (found.filter, found.target, found.exposure, found.telescope) == ("Halpha", "NGC 253", 300.0, "T31")
    # The time in the name is that of a local clock.
    assert found.start is None
    assert found.sources["target"] == f"file name '{name}'"
    premium = meta("", "Calibrated-iTelescope-M_42-120s-Red-7.fits")
    assert premium.calibrated == {"bias", "dark", "flat"}
    assert (premium.target, premium.exposure) == ("M 42", 120.0)


def test_real_sets(real_data):
    kinds = {}
    for name in ("Bias", "Darks", "Lights"):
        metas = [open_frame(path).meta for path in find_files(real_data(f"pelican_mono_crop800/{name}"))]
        kinds[name] = {m.kind for m in metas}
        assert {m.exposure for m in metas} == {None}
        assert {m.bottom_up for m in metas} == {False}
    assert kinds == {"Bias": {Kind.BIAS}, "Darks": {Kind.DARK}, "Lights": {Kind.LIGHT}}
    sbig = [open_frame(path).meta for path in find_files(real_data("sbig_stl1001_2017_crop512"))]
    assert {m.gain for m in sbig} == {2.06}
    assert {m.set_temperature for m in sbig} == {-5.0, -10.0}
    assert {m.origin for m in sbig} == {(0, 400)}
    assert {m.exposure for m in sbig if m.kind is Kind.DARK} == {10.0, 20.0, 30.0, 60.0, 150.0, 300.0}
    als = open_frame(find_files(real_data("m27_asi224mc_als"))[0]).meta
    assert (als.target, als.cfa, als.gain_setting, als.gain) == (None, "RGGB", 180.0, None)
    assert als.ra == pytest.approx(299.924958, abs=1e-5)
