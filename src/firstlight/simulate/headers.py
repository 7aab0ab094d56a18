"""Headers of simulated frames, as capture programs write them."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from firstlight.simulate.geometry import altitude, pointing, sky_of
from firstlight.simulate.settings import Night
from firstlight.simulate.truth import FrameTruth

_IMAGE_TYPES = {"light": "LIGHT", "dark": "DARK", "bias": "BIAS", "flat": "FLAT", "dark flat": "DARKFLAT"}


def cards_of(night: Night, frame: FrameTruth) -> list[tuple[str, Any, str]]:
    """Keyword, value and comment of each card, the structural ones of FITS left out."""
    camera, telescope = night.camera, night.telescope
    start = datetime.fromisoformat(frame.start)
    end = start + timedelta(seconds=frame.exposure)
    middle = start + (end - start) / 2
    cards: list[tuple[str, Any, str]] = [
        ("IMAGETYP", _IMAGE_TYPES[frame.kind], "Type of exposure"),
        ("EXPTIME", frame.exposure, "[s] Exposure time"),
        ("DATE-OBS", _stamp(start), "UTC, start of the exposure"),
        ("DATE-AVG", _stamp(middle), "UTC, middle of the exposure"),
        ("DATE-END", _stamp(end), "UTC, end of the exposure"),
        ("TIMESYS", "UTC", "Time scale"),
        ("INSTRUME", camera.name, "Camera"),
        ("GAIN", camera.gain_setting, "Gain setting of the camera"),
        ("EGAIN", camera.gain, "[e-/adu] Electrons per number"),
        ("OFFSET", camera.offset_setting, "Offset setting of the camera"),
        ("RDNOISE", camera.read_noise, "[e-] Read noise"),
        ("SATURATE", camera.saturation, "[adu] Level of saturation"),
        ("CCD-TEMP", frame.temperature, "[degC] Sensor temperature"),
        ("SET-TEMP", camera.temperature, "[degC] Set temperature"),
        ("XBINNING", 1, "Binning along x"),
        ("YBINNING", 1, "Binning along y"),
        ("XPIXSZ", camera.pixel_size, "[um] Pixel pitch along x, binned"),
        ("YPIXSZ", camera.pixel_size, "[um] Pixel pitch along y, binned"),
        ("ROWORDER", "TOP-DOWN", "The first row is the top of the picture"),
    ]
    if camera.cfa:
        cards += [
            ("BAYERPAT", camera.cfa, "Colours of the CFA cell"),
            ("XBAYROFF", 0, "Offset of the cell along x"),
            ("YBAYROFF", 0, "Offset of the cell along y"),
        ]
    cards += [
        ("TELESCOP", telescope.name, "Telescope"),
        ("FOCALLEN", telescope.focal_length, "[mm] Focal length"),
        ("APTDIA", telescope.aperture, "[mm] Aperture"),
        ("SITELAT", telescope.latitude, "[deg] Latitude of the site"),
        ("SITELONG", telescope.longitude, "[deg] Longitude of the site, east positive"),
    ]
    if frame.filter:
        cards.append(("FILTER", frame.filter, "Filter"))
    if frame.kind == "light":
        cards += _pointing_cards(night, frame, middle)
    cards += [
        ("SWCREATE", "firstlight simulate", "Program that wrote the file"),
        ("SIMSEED", night.seed, "Seed of the simulated night"),
        ("SIMFRAME", frame.number, "Number of the frame in that night"),
    ]
    return cards


def _pointing_cards(night: Night, frame: FrameTruth, middle: datetime) -> list[tuple[str, Any, str]]:
    centre = np.array([[(night.camera.width - 1) / 2, (night.camera.height - 1) / 2]])
    ra, dec = (float(v[0]) for v in sky_of(night, frame.transform(centre)))
    # Mounts know where they point to some arc-seconds, and programs write what the mount says.
    ra, dec = round(ra, 4), round(dec, 4)
    telescope = night.telescope
    height = altitude(*pointing(night), middle, telescope.latitude, telescope.longitude)
    return [
        ("OBJECT", night.target, "Target"),
        ("RA", ra, "[deg] Right ascension of the centre, ICRS"),
        ("DEC", dec, "[deg] Declination of the centre, ICRS"),
        ("OBJCTRA", _sexagesimal(ra / 15.0, 2), "[h m s] Right ascension"),
        ("OBJCTDEC", ("-" if dec < 0 else "+") + _sexagesimal(abs(dec), 1), "[d m s] Declination"),
        ("PIERSIDE", frame.pier_side, "Side of the pier the telescope is on"),
        ("AIRMASS", round(frame.airmass, 4), "Airmass in the middle of the exposure"),
        ("CENTALT", round(height, 3), "[deg] Altitude of the centre"),
    ]


def _sexagesimal(value: float, digits: int) -> str:
    # Rounded first, so that 59.999 s never reads as 60.
    units = round(value * 3600 * 10**digits)
    seconds, fraction = divmod(units, 10**digits)
    minutes, seconds = divmod(seconds, 60)
    whole, minutes = divmod(minutes, 60)
    return f"{math.floor(whole):02d} {minutes:02d} {seconds:02d}.{fraction:0{digits}d}"


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}"
