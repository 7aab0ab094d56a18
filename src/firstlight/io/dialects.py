"""The one table of keyword dialects: for each field of `Meta`, the keywords that give it, best first.

Read from the headers and documents of MaxIm DL and CCDSoft (SBFITSEXT 1.0), SGP, N.I.N.A., ASIAir, INDI/Ekos, SharpCap,
iTelescope, Seestar, APT, DSLR converters, Las Cumbres Observatory, MicroObservatory and PANOPTES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstlight.io import convert


@dataclass(frozen=True)
class Rule:
    """A keyword and how its value becomes a field's value; ``None`` means that it says nothing."""

    keyword: str
    convert: Callable[..., Any]
    with_comment: bool = False
    """The comment takes part: it names the unit."""


def _rules(how: Callable[..., Any], *keywords: str, with_comment: bool = False) -> tuple[Rule, ...]:
    return tuple(Rule(keyword, how, with_comment) for keyword in keywords)


def _milliseconds(value: Any) -> float | None:
    return convert.seconds(value, "ms")


def _microseconds(value: Any) -> float | None:
    return convert.seconds(value, "us")


def _airmass(value: Any) -> float | None:
    found = convert.number(value)
    return found if found is not None and 0.99 <= found < 50 else None


def _not_negative(value: Any) -> float | None:
    found = convert.number(value)
    return found if found is not None and found >= 0 else None


def _pier(value: Any) -> str | None:
    word = (convert.text(value) or "").lower()
    return next((side for side in ("east", "west") if side in word or word == side[0]), None)


def _filter(value: Any) -> str | None:
    word = convert.text(value)
    # Some one-shot-colour programs write the Bayer pattern as the filter: that is no filter.
    return (
        None
        if word is None or word.lower() in ("no filter", "empty") or (set(word) <= set("RGB") and len(word) == 4)
        else word
    )


def _full_scale(value: Any, comment: str) -> float | None:
    # DATAMAX is the sensor's limit by its comment, but the brightest pixel of the frame to most programs.
    return convert.positive(value) if "satur" in comment.lower() else None


FIELDS: dict[str, tuple[Rule, ...]] = {
    "target": _rules(convert.text, "OBJECT", "OBJNAME", "TARGET", "OBJECTNAME", "OBSTARGET", "FIELD"),
    "filter": _rules(_filter, "FILTER", "FILTERID", "FILTNAM", "FILTER1", "FILTNAME", "INSFLNAM"),
    "exposure": (
        *_rules(
            convert.seconds,
            "EXPTIME",
            "EXPOSURE",
            "EXP_TIME",
            "EXPOS",
            "EXPOSURETIME",
            "ITIME",
            "ELAPTIME",
            "TTIME",
            with_comment=True,
        ),
        *_rules(_milliseconds, "EXP (MS)", "EXPOSURE_MS", "EXPTIMEMS"),
        *_rules(_microseconds, "EXPOINUS", "EXP_US"),
    ),
    "camera": _rules(convert.text, "INSTRUME", "CAMERA", "CAMMODEL", "MODEL", "CAMNAME", "DETNAM"),
    "serial": _rules(
        convert.text, "CAMSER", "SERIALNB", "SERIALNO", "SERIAL", "CAMERASN", "CAMSN", "CAM_SN", "BODYSN", "DETSER"
    ),
    "telescope": _rules(convert.text, "TELESCOP", "TELESCOPE", "OTA"),
    "observer": _rules(convert.text, "OBSERVER", "OBSERVR", "AUTHOR"),
    "observer_code": _rules(convert.text, "OBSCODE", "AAVSOCODE", "AAVSOID"),
    "site": _rules(convert.text, "SITENAME", "OBSERVAT", "SITE", "OBSGEO", "LOCATION"),
    "latitude": _rules(
        convert.latitude,
        "SITELAT",
        "LAT-OBS",
        "OBSGEO-B",
        "LATITUDE",
        "OBS-LAT",
        "SITE-LAT",
        "GEOLAT",
        "OBSLAT",
    ),
    "longitude": _rules(
        convert.longitude,
        "SITELONG",
        "LONG-OBS",
        "LON-OBS",
        "OBSGEO-L",
        "LONGITUD",
        "LONGITUDE",
        "OBS-LONG",
        "SITELON",
        "SITE-LON",
        "GEOLON",
        "OBSLON",
        with_comment=True,
    ),
    "elevation": _rules(
        convert.elevation, "SITEELEV", "ALT-OBS", "ELEV-OBS", "OBSGEO-H", "HEIGHT", "OBS-ELEV", "SITE-ALT", "GEOELEV"
    ),
    "software": _rules(convert.text, "SWCREATE", "CREATOR", "PROGRAM", "SOFTWARE", "SWMODIFY"),
    "offset": _rules(convert.number, "OFFSET", "BLKLEVEL", "CAMOFFS", "BRIGHTNS", "CCDOFFSET"),
    "read_noise": _rules(convert.positive, "RDNOISE", "READNOIS", "READNOISE", "RON", "ENOISE", "RO_NOISE"),
    "saturation": (
        *_rules(convert.positive, "SATURATE", "SATLEVEL", "SATURATION", "WHTLVLS"),
        *_rules(_full_scale, "DATAMAX", with_comment=True),
    ),
    "readout_mode": _rules(convert.text, "READOUTM", "READMODE", "CONFMODE", "READOUT", "RDMODE"),
    "temperature": _rules(
        convert.celsius,
        "CCD-TEMP",
        "CCDTEMP",
        "CCDATEMP",
        "CCD_TEMP",
        "TEMPERAT",
        "CAMTEMP",
        "CAM-TEMP",
        "DET-TEMP",
        "DETTEMP",
        "SENSTEMP",
        "SENSORT",
        "CHIPTEMP",
        "TEMP",
        with_comment=True,
    ),
    "set_temperature": _rules(
        convert.celsius,
        "SET-TEMP",
        "SETTEMP",
        "CCDSTEMP",
        "CCD-STEMP",
        "TEMP-SET",
        "SET_TEMP",
        "TEMPSETP",
        with_comment=True,
    ),
    "focal_length": _rules(convert.millimetres, "FOCALLEN", "FOCAL", "FOCALLENGTH", "FLENGTH"),
    "ra": _rules(
        convert.right_ascension,
        "RA",
        "OBJCTRA",
        "TELRA",
        "RA-MNT",
        "RA_OBJ",
        "RA-OBJ",
        "OBJRA",
        "CENTERRA",
        with_comment=True,
    ),
    "dec": _rules(
        convert.declination,
        "DEC",
        "OBJCTDEC",
        "TELDEC",
        "DEC-MNT",
        "DEC_OBJ",
        "DEC-OBJ",
        "OBJDEC",
        "CENTERDEC",
        with_comment=True,
    ),
    "pier_side": _rules(_pier, "PIERSIDE", "PIER", "SIDEOFPIER"),
    "airmass": _rules(_airmass, "AIRMASS", "SECZ"),
    "rotator": _rules(convert.number, "ROTATANG", "ROTATOR", "ROTANGLE", "ROTPA", "ROTSKYPA"),
}
"""Fields that one keyword gives; gain, times, binning, sub-frame, colours and kind have rules of their own."""

CFA_KEYWORDS = ("BAYERPAT", "COLORTYP", "CFATYPE", "CFA-PAT", "BAYER", "CFA", "MOSAIC", "CFAPAT", "BAYRPAT")
GAIN_KEYWORDS = ("EGAIN", "E-GAIN", "GAIN_E", "CVF", "GAINEADU")
"""Always e-/adu."""
SETTING_KEYWORDS = (
    "GAINSET",
    "GAIN",
    "ISOSPEED",
    "ISO",
    "ISONUM",
    "ISO-SPEED",
    "GAINRAW",
    "CAM-GAIN",
    "ISOSPEEDRATINGS",
)
COMBINED_KEYWORDS = ("NCOMBINE", "STACKCNT", "NSTACK", "NIMAGES", "NUMFRAME", "SNAPSHOT", "IMCMB")
