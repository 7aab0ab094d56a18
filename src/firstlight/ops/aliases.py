"""Spellings of the earlier programs, and old ids, each pointing at a living operation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from firstlight.errors import SpecError

ALIASES: dict[str, str] = {
    "abr:bg": "abr:localgradient",
    "calibration:colorflat": "cal:divideflat",
    "calibration:flat": "cal:divideflat",
    "color:clip_black": "color:clip",
    "color:clip_range": "color:clip",
    "color:gamma": "stretch:gamma",
    "color:gray": "color:grey",
    "color:starlesswb": "color:partbalance:part=background",
    "color:starwb": "color:partbalance:part=stars",
    "color:wb": "color:whitebalance",
    "extract:bg": "extract:background",
    "inspect:meta": "inspect:uncertainty:show=weight",
    "misc:dtype": "meta:nothing",
    "misc:pedestal": "cal:constant:value=0",
    "neutralization:bg": "color:neutralize",
    "nop:nop": "meta:nothing",
    "norm:bgstat": "norm:match:signal=keep",
    "norm:fullstat": "norm:match",
    "norm:sigstat": "norm:match:background=keep",
    "reconstruct:inpaint": "cal:fillholes:method=smooth",
    "sharp:airy_deconvolution": "sharp:airy",
    "sharp:double_gaussian_deconvolution": "sharp:doublegaussian",
    "sharp:drizzle_deconvolution": "sharp:drizzle",
    "sharp:gaussian_deconvolution": "sharp:gaussian",
    "sharp:sampled_deconvolution": "sharp:stars",
    "stretch:auto": "stretch:percentile",
    "stretch:autostretch": "stretch:midtones",
    "stretch:ht": "stretch:mtf",
    "stretch:starlesshdr": "stretch:starless:method=hdr",
    "stretch:starlesslinear": "stretch:starless:method=linear,bg_bright=4",
}
"""Another spelling, and the operation that it means, with parameters where it means some."""

_SHARP: dict[str, Any] = {
    "method": {
        "rls": "method=rl,iterations=100",
        "rlm": "method=rl,iterations=25",
        "rlw": "method=rl,iterations=10",
        "rlf": "method=rl,iterations=5",
    },
    "target": {"bg": "target=background"},
}
_STARLESS: dict[str, Any] = {"denoise_layer": {"background": "", "bg": ""}}
_STARS: dict[str, Any] = {"method": {"starnet": "star_method=starnet"}}
_FACTORS = {"*/*/*/*": "red=*,green=*,blue=*,green=*", "*/*/*": "red=*,green=*,blue=*", "*,*,*": "red=*,green=*,blue=*"}
_BALANCE: dict[str, Any] = {
    "wb_set": {"auto": "source=stars", "autobg": "source=background", "*": "source=set,set=*"},
    "wb_coef": {form: f"source=none,{meaning}" for form, meaning in _FACTORS.items()},
}
_CHANNEL: dict[str, Any] = {"channel": {"0": "channel=red", "1": "channel=green", "2": "channel=blue"}}
_YES = ("1", "true", "True", "yes")
_META: dict[str, Any] = {
    "use_meta": dict.fromkeys(_YES, "noise=variance") | dict.fromkeys(("0", "false", "no"), "noise=measured")
}

PARAMETERS: dict[str, dict[str, str | dict[str, str]]] = {
    "abr:envelope": {"minfilter_size": "scale", "pregauss_size": "presmooth", "opening_size": "opening",
                     "closing_size": "closing"},
    "abr:floor": {"pregauss": "presmooth"},
    "abr:localgradient": {"minfilter_size": "scale"},
    "cal:fillholes": {"mask": {"zero": "zeros=yes"}},
    "color:convert": {"from": "source", "to": "target"},
    "color:extract": _CHANNEL,
    "color:partbalance": {"wb_coef": _FACTORS},
    "color:saturation": {"sat": "factor"},
    "color:scnr": {**_CHANNEL, "invert": dict.fromkeys(_YES, "limit=minimum")},
    "color:whitebalance": _BALANCE,
    "extract:background": {"star_size": "size"},
    "extract:starless": _STARS,
    "extract:stars": _STARS,
    "extract:starstuff": {"star_size": "size"},
    "norm:match": {"bg_mode": "background", "signal_mode": "signal"},
    "nr:bilateral": {"sigma_spatial": "sigma"},
    "nr:debanding": {"mask_sigma": "mask", "tile_size": "tile"},
    "nr:diffusion": {"L": "limit x 6.666667", "Lspeck": "speck"},
    "nr:flatdebanding": {"mask_sigma": "mask", "tile_size": "tile"},
    "nr:median": {"size": "distance"},
    "nr:starlessbilateral": {**_STARLESS, "sigma_spatial": "sigma"},
    "nr:starlessdebanding": {**_STARLESS, "mask_sigma": "mask", "tile_size": "tile"},
    "nr:starlessdiffusion": {**_STARLESS, "L": "limit", "Lspeck": "speck"},
    "nr:starlesstv": {**_STARLESS, **_META},
    "nr:starlesswavelet": _STARLESS,
    "nr:tv": _META,
    "sharp:airy": {**_SHARP, "sigma": "seeing", "r1": "radius"},
    "sharp:deconvolution": {**_SHARP, "sample_region": {"*-*-*-*": "x=*,y=*,size=*,size=*"}},
    "sharp:doublegaussian": {**_SHARP, "sigma1": "sigma", "sigma2": "halo_sigma", "w2": "halo_weight"},
    "sharp:drizzle": _SHARP,
    "sharp:gaussian": _SHARP,
    "sharp:stars": _SHARP,
    "stretch:black": {"p_lo": "percentile", "r_lo": "fraction"},
    "stretch:hdr": {"size": "radius", "smoothing": "smooth"},
    "stretch:percentile": {"p_lo": "low", "p_hi": "high"},
    "stretch:starless": {"shrink": "star_shrink"},
}  # fmt: skip
"""Parameters of operations as the earlier programs spell them: the name of today, with a factor where the scale is
another; or what each word means, ``*`` standing for any (of several, in their order)."""

_SHARP_GONE = {
    "normalize_mode": "the PSF always has the sum 1",
    "offset": "the sky is measured",
    "black": "the sky is measured",
    "debias": "the sky is measured",
    "gamma": "it works on linear light",
    "img_renormalize": "brightness is kept",
    "protect_low": "protect_sky=SIGMA is alike",
    "downsample": "bin:mean before it is alike",
}
_GRADIENT = "abr:envelope is the chain of cvastrophoto, and has"
GONE: dict[str, dict[str, str]] = {
    "abr:localgradient": {
        "gauss_size": "it follows scale",
        "pregauss_size": f"{_GRADIENT} presmooth",
        "closing_size": f"{_GRADIENT} closing",
        "opening_size": f"{_GRADIENT} opening",
        "gain": f"{_GRADIENT} gain",
        "offset": f"{_GRADIENT} offset",
        "noisecap": f"{_GRADIENT} noise_cap",
        "residual_iterations": f"{_GRADIENT} residual_iterations",
        "svr_regularization": "abr:polynomial:ridge=0.1 is alike",
        "zmask": "objects are masked; dark ones too by --frame mask=FILE",
        "clip": "nothing is clipped",
        "despeckle": "bright specks have no weight",
        "aggressive": "bright specks have no weight",
    },
    "cal:fillholes": {"dqmask": "flagged pixels are filled"},
    "color:partbalance": {"wb_set": "color:whitebalance:part=stars or part=background has the sets"},
    "color:whitebalance": {
        "wb_mtx": "a matrix is a step of its own, color:matrix:name=NAME or color:mix",
        "white_ref": "write source=reference, and --frame reference=FILE",
    },
    "meta:nothing": {
        "dtype": "images are 32-bit floats; the ending of the file says what is written",
        "type": "images are 32-bit floats; the ending of the file says what is written",
    },
    "norm:match": {"ref": "give it as --frame reference=FILE"},
    "nr:bilateral": {"bins": "it is exact", "mode": "edges are mirrored"},
    "nr:diffusion": {
        "thr": "the limit follows the noise of each pixel",
        "R": "the limit follows the noise of each pixel",
        "T": "the limit follows the noise of each pixel",
        "mask": "all pixels take part",
        "dt": "it is 1/7, as there",
    },
    "sharp:airy": {**_SHARP_GONE, "r0": "obstruction is alike", "m0": "obstruction is alike", "scale": "set radius"},
    "sharp:deconvolution": {
        **_SHARP_GONE,
        "sample_file": "give it as --frame psf=FILE",
        "carve_core": "the level of the rim is subtracted",
    },
    "sharp:doublegaussian": {**_SHARP_GONE, "size": "the kernel is as large as the blur"},
    "sharp:drizzle": _SHARP_GONE,
    "sharp:gaussian": {**_SHARP_GONE, "size": "the kernel is as large as the blur"},
    "sharp:stars": {**_SHARP_GONE, "size": "it follows the width of the stars"},
    "stretch:hdr": {
        "white": "white is 1",
        "erode": "smooth is alike",
        "rescale": "the result is within 0 and 1",
        "show_map": "",
    },
    "stretch:percentile": {"white": "white is 1", "bright": "high=PERCENTILE decides"},
    "tx:shift": {"mode": "nothing is mirrored: what comes in from beyond is flagged NO_DATA"},
}
"""Parameters of the earlier programs that have no counterpart, and what there is instead."""

ELSEWHERE = {"inspect:show": "no window is opened; write a picture: firstlight apply IN look.png STEP... --preview"}
"""Operations of the earlier programs that are none here, and what there is instead."""


def as_of_today(id: str, known: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by today's names and words.

    Raises
    ------
    SpecError
        One has no counterpart, or not for this word.

    >>> as_of_today("color:whitebalance", {}, {"wb_coef": "1.2/1/1.5"})
    {'source': 'none', 'red': '1.2', 'green': '1', 'blue': '1.5'}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        meant = PARAMETERS.get(id, {}).get(key)
        if isinstance(meant, dict):
            translated = _by_word(id, key, value, meant, key in known)
            found |= {key: value} if translated is None else translated
        elif key in known or (meant is None and key not in GONE.get(id, {})):
            found[key] = value
        elif meant is None:
            instead = GONE[id][key]
            words = f" ({instead})" if instead else ""
            raise SpecError(f"{id}: {key}, of an earlier program, is not needed or has another form here{words}")
        else:
            name, _, factor = meant.partition(" x ")
            found[name] = _times(id, key, value, float(factor)) if factor else value
    return found


def _by_word(id: str, key: str, value: Any, meant: Mapping[str, str], is_known: bool) -> dict[str, str] | None:
    """What a word means; None where it is a word of today."""
    for pattern, meaning in meant.items():
        match = re.fullmatch(re.escape(pattern).replace(r"\*", "(.+?)"), str(value))
        if match is None:
            continue
        parts: Iterator[str] = iter(match.groups())
        found: dict[str, str] = {}
        for name, _, word in (each.partition("=") for each in meaning.split(",") if each):
            word = next(parts) if word == "*" else word
            if found.setdefault(name, word) != word:
                raise SpecError(f"{id}: {key}={value}: {name} would be {found[name]} and {word}; it takes one number")
        return found
    if is_known:
        return None
    words = ", ".join(meant)
    raise SpecError(f"{id}: {key}={value}, of an earlier program; of its words these have a counterpart here: {words}")


def _times(id: str, key: str, value: Any, factor: float) -> float:
    try:
        return round(float(value) * factor, 4)
    except ValueError:
        raise SpecError(f"{id}: {key}={value!r}; a number is needed") from None
