"""Spectra of stars from their colours, and of what is called white.

A star without a spectrum is given that of a main-sequence star of the same colour: a black body of its effective
temperature, bent (by a smooth curve through 440, 550, 640 and 800 nm) so that its B-V, V-Rc and V-Ic are those of the
mean main sequence. Lines and breaks are not in it; what broad filters see of a star is, within some hundredths of a
magnitude. Reddened stars and giants of the same colour lie close to it.

References: Pecaut & Mamajek 2013, ApJS 208, 9 (colours; Mamajek's table of 2024); Bessell, Castelli & Plez 1998, A&A
333, 231 (fluxes of magnitude 0).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from firstlight.errors import InputError, nearest
from firstlight.io.passbands import known_passbands
from firstlight.model.passband import GRID, Passband

# Type, effective temperature, B-V, V-Rc, V-Ic, BP-RP, BT-VT
_SEQUENCE = (
    ("B3V", 17000, -0.178, -0.080, -0.192, -0.246, -0.184), ("B8V", 12300, -0.109, -0.048, -0.108, -0.160, -0.107),
    ("B9V", 10700, -0.070, -0.028, -0.061, -0.120, -0.063), ("A0V", 9700, 0.000, 0.001, 0.004, -0.037, 0.013),
    ("A2V", 8840, 0.070, 0.042, 0.091, 0.068, 0.091), ("A5V", 8100, 0.160, 0.089, 0.186, 0.194, 0.185),
    ("A7V", 7760, 0.210, 0.117, 0.242, 0.263, 0.233), ("F0V", 7220, 0.295, 0.166, 0.339, 0.377, 0.317),
    ("F2V", 6820, 0.370, 0.213, 0.432, 0.490, 0.390), ("F5V", 6550, 0.440, 0.252, 0.506, 0.587, 0.455),
    ("F8V", 6180, 0.530, 0.300, 0.599, 0.694, 0.558), ("G0V", 5930, 0.595, 0.341, 0.673, 0.784, 0.650),
    ("G2V", 5770, 0.650, 0.363, 0.713, 0.823, 0.724), ("G5V", 5660, 0.680, 0.377, 0.738, 0.850, 0.764),
    ("G8V", 5480, 0.730, 0.404, 0.786, 0.900, 0.842), ("K0V", 5290, 0.816, 0.443, 0.853, 0.983, 0.944),
    ("K2V", 5100, 0.884, 0.482, 0.920, 1.100, 1.035), ("K3V", 4870, 0.990, 0.560, 1.030, 1.190, 1.166),
    ("K4V", 4600, 1.090, 0.635, 1.182, 1.340, 1.292), ("K5V", 4440, 1.150, 0.685, 1.272, 1.430, 1.373),
    ("K7V", 4090, 1.340, 0.802, 1.519, 1.700, 1.506), ("M0V", 3850, 1.420, 0.889, 1.766, 1.840, 1.623),
    ("M2V", 3560, 1.505, 1.001, 2.173, 2.230, 1.730), ("M3V", 3430, 1.530, 1.079, 2.420, 2.500, 1.780),
    ("M4V", 3210, 1.650, 1.241, 2.831, 2.940, 1.860),
)  # fmt: skip
COLOURS = {"B-V": 2, "BP-RP": 5, "BT-VT": 6}
"""Colours of catalogues from which a spectrum is made; Tycho's beyond M0 are extrapolated."""
ZERO = {"B": 6.32e-9, "V": 3.631e-9, "R": 2.177e-9, "I": 1.126e-9}
"""Mean flux density of magnitude 0, erg / (s cm2 Angstrom)."""
STANDARD = {"B": "Johnson B", "V": "Johnson V", "R": "Cousins R", "I": "Cousins I"}
_KNOTS = np.array([440.0, 550.0, 640.0, 800.0])
SPIRAL = ("A2V", "G2V", "K5V")
SPIRAL_COLOURS = (0.65, 1.05)
"""B-V and V-Ic of an average bright spiral galaxy (Sb to Sbc; Roberts & Haynes 1994, ARA&A 32, 115; de Jong 1996, A&A
313, 377)."""
WHITES = ("average-spiral", *(row[0] for row in _SEQUENCE), "equal-energy", "equal-photons")


def planck(kelvin: float, nm: np.ndarray = GRID) -> np.ndarray:
    """Black body per wavelength, 1 at 550 nm."""

    def raw(at: np.ndarray) -> np.ndarray:
        return at**-5.0 / np.expm1(1.438777e7 / (at * kelvin))

    return raw(nm) / raw(np.array([550.0]))


@lru_cache(maxsize=1)
def _sequence() -> np.ndarray:
    """Logarithms of the spectra (types, GRID), 0 at 550 nm."""
    spectra = []
    for _, kelvin, b_v, v_r, v_i, *_ in _SEQUENCE:
        wanted = np.array([b_v, -v_r, -v_i])
        bend = np.zeros(3)
        for _ in range(20):
            miss = _colours(_bent(kelvin, bend)) - wanted
            slope = np.stack([(_colours(_bent(kelvin, bend + d)) - _colours(_bent(kelvin, bend))) / 1e-3
                              for d in 1e-3 * np.eye(3)], axis=1)  # fmt: skip
            bend = bend - np.linalg.solve(slope, miss)
            if np.abs(miss).max() < 1e-6:
                break
        spectra.append(np.log(_bent(kelvin, bend)))
    return np.array(spectra)


def _bent(kelvin: float, bend: np.ndarray) -> np.ndarray:
    """A black body times a smooth curve: its logarithms at 440, 640 and 800 nm; level beyond the outer two."""
    from scipy.interpolate import PchipInterpolator

    at = PchipInterpolator(_KNOTS, [bend[0], 0.0, bend[1], bend[2]])
    return planck(kelvin) * np.exp(at(np.clip(GRID, _KNOTS[0], _KNOTS[-1])))


def _colours(spectrum: np.ndarray) -> np.ndarray:
    """B-V, R-V, I-V."""
    filters = known_passbands()["filters"]
    mags = {}
    for band, name in STANDARD.items():
        weight = filters[name].on(GRID) * GRID
        mags[band] = -2.5 * np.log10((spectrum * weight).sum() / weight.sum() / ZERO[band])
    return np.array([mags["B"] - mags["V"], mags["R"] - mags["V"], mags["I"] - mags["V"]])


def spectra_of(colour: str, values: np.ndarray) -> np.ndarray:
    """Spectra (n, GRID), per wavelength, 1 at 550 nm, of main-sequence stars of these colours; NaN beyond B3 and M4.

    ``colour`` is one of ``COLOURS``.

    >>> blue, red = spectra_of("BP-RP", np.array([0.0, 1.5]))
    >>> bool(blue[GRID == 450][0] > 1 > red[GRID == 450][0])
    True
    """
    table = np.array([row[COLOURS[colour]] for row in _SEQUENCE], np.float64)
    values = np.asarray(values, np.float64)
    place = np.interp(values, table, np.arange(len(table)), left=np.nan, right=np.nan)
    known = np.isfinite(place)
    low = np.clip(np.where(known, place, 0).astype(int), 0, len(table) - 2)
    share = (np.where(known, place, 0) - low)[:, None]
    logs = _sequence()
    spectra = np.exp((1 - share) * logs[low] + share * logs[low + 1])
    spectra[~known] = np.nan
    return spectra


def white_spectrum(name: str) -> np.ndarray:
    """Spectrum (GRID), per wavelength, of what is to look white.

    ``average-spiral``; a type such as ``G2V``; ``equal-energy``; ``equal-photons``; a black body such as ``6500K``.

    Raises
    ------
    InputError
        Another word.
    """
    types = [row[0] for row in _SEQUENCE]
    lower = {each.lower(): each for each in WHITES}
    word = lower.get(name.lower(), name)
    if word == "equal-energy":
        return np.ones_like(GRID)
    if word == "equal-photons":
        return 550.0 / GRID
    if word in types:
        return np.exp(_sequence()[types.index(word)])
    if word == "average-spiral":
        return _spiral()
    if word[-1:].upper() == "K" and word[:-1].replace(".", "", 1).isdigit() and 1000 <= float(word[:-1]) <= 100_000:
        return planck(float(word[:-1]))
    raise InputError(
        f"white reference {name!r}{nearest(name, WHITES) or ';'} one of {', '.join(WHITES)} is allowed, or a "
        "black body such as 6500K"
    )


@lru_cache(maxsize=1)
def _spiral() -> np.ndarray:
    """Young, middle and old stars in the shares that give the colours of an average spiral galaxy."""
    types = [row[0] for row in _SEQUENCE]
    parts = np.exp(_sequence()[[types.index(name) for name in SPIRAL]])
    b_v, v_i = SPIRAL_COLOURS
    shares = np.array([0.3, 0.3, 0.4])
    for _ in range(30):
        # Newton for two shares; the third is what is left.
        def miss(two: np.ndarray) -> np.ndarray:
            found = _colours(np.array([*two, 1 - two.sum()]) @ parts)
            return np.array([found[0] - b_v, -found[2] - v_i])

        two = shares[:2]
        slope = np.stack([(miss(two + d) - miss(two)) / 1e-4 for d in 1e-4 * np.eye(2)], axis=1)
        two = two - np.linalg.solve(slope, miss(two))
        shares = np.array([*two, 1 - two.sum()])
        if np.abs(miss(two)).max() < 1e-9:
            break
    return shares @ parts


def counts(spectra: np.ndarray, channels: list[Passband], air: np.ndarray | None = None) -> np.ndarray:
    """Photons that each channel counts of each spectrum (n, GRID): (n, channels), in a common unit."""
    weight = np.stack([channel.on(GRID) for channel in channels], axis=1) * GRID[:, None]
    if air is not None:
        weight = weight * air[:, None]
    return np.atleast_2d(spectra) @ weight


def atmosphere(airmass: float, height: float = 0.0, aerosol: float = 0.05) -> np.ndarray:
    """Transmission (GRID) of clear air: Rayleigh scattering and aerosols.

    ``height`` of the site, m; ``aerosol`` is the optical depth of haze at 1 um (0.05 clear, 0.2 hazy; exponent -1.3).

    References: Hansen & Travis 1974, Space Sci. Rev. 16, 527 (Rayleigh); Angstrom 1929 (aerosols); the pressure falls
    with a scale height of 8.4 km.

    >>> [round(float(atmosphere(1.0)[GRID == nm][0]), 2) for nm in (400, 700)]
    [0.59, 0.89]
    """
    um = GRID / 1000
    rayleigh = 0.008569 * um**-4 * (1 + 0.0113 * um**-2 + 0.00013 * um**-4) * np.exp(-height / 8400)
    return np.exp(-airmass * (rayleigh + aerosol * um**-1.3))


def colour_of(colour: str, spectrum: np.ndarray) -> float:
    """A colour of a spectrum: B-V by its own bands; BP-RP (and BT-VT from B-V) beside that of G2V.

    >>> round(colour_of("BP-RP", white_spectrum("G2V")), 3)
    0.823
    """
    if colour == "B-V":
        return float(_colours(spectrum)[0])
    sun = next(row for row in _SEQUENCE if row[0] == "G2V")
    if colour == "BT-VT":
        table = np.array([row[2:] for row in _SEQUENCE], np.float64)
        return float(np.interp(_colours(spectrum)[0], table[:, 0], table[:, COLOURS[colour] - 2]))
    filters = known_passbands()["filters"]
    bands = [filters["Gaia BP"], filters["Gaia RP"]]
    (own, of_sun) = counts(np.stack([spectrum, white_spectrum("G2V")]), bands)
    return float(sun[COLOURS[colour]] - 2.5 * np.log10((own[0] / own[1]) / (of_sun[0] / of_sun[1])))
