"""A paragraph on the methods of a file, and what to cite for them: only what was done, with its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from firstlight.errors import InputError
from firstlight.ops.registry import find_operation
from firstlight.pipeline.lineage import Lineage
from firstlight.pipeline.references import OF_OPERATIONS, REFERENCES, Reference

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_REGISTERED = {
    "stars": ("by matching triangles of their stars", ("groth1986", "valdes1995")),
    "phase": ("by phase correlation", ("kuglin1975",)),
    "features": ("by oriented binary features", ("rublee2011",)),
    "plate": ("by their plate solutions", ("greisen2002",)),
}
_REFINED = {
    "corr": ("correlation of patches", ("westerweel2005", "eilers1996")),
    "ilk": ("iterative Lucas-Kanade optical flow", ("lebesnerais2005", "eilers1996")),
    "tvl1": ("TV-L1 optical flow", ("zach2007", "eilers1996")),
}
_KERNELS = {
    "lanczos2": ("Lanczos-2", ("duchon1979",)), "lanczos3": ("Lanczos-3", ("duchon1979",)),
    "lanczos4": ("Lanczos-4", ("duchon1979",)), "bicubic": ("cubic", ("keys1981",)), "bilinear": ("bilinear", ()),
    "nearest": ("nearest-neighbour", ()),
}  # fmt: skip
_COMBINED = {
    "mean": ("averaged", ()), "sum": ("added", ()), "median": ("combined by their median", ()),
    "sigma": ("averaged after sigma clipping", ()),
    "winsorized": ("averaged after winsorised sigma clipping", ()),
    "linear": ("averaged after rejection around a fitted line", ()),
    "esd": ("averaged after generalised extreme studentised deviate rejection", ("rosner1983",)),
    "percentile": ("averaged after percentile clipping", ()),
    "mad": ("averaged after clipping by the median absolute deviation", ()),
    "weighted-median": ("combined by their weighted median", ()),
    "averaged": ("averaged after rejection with noise measured on whole rows", ()),
    "adaptive": ("averaged with weights that fall with the distance from the others", ()),
    "min": ("combined by their lowest values", ()),
    "max": ("combined by their highest values", ()),
    "minmax": ("averaged after rejection of the extremes", ()),
    "noise": ("averaged after rejection of samples that lie further from the others than their noise allows", ()),
    "chi2": ("combined to a chi-squared image", ("szalay1999",)),
}  # fmt: skip
_WEIGHTS = {
    "noise": "with weights inverse to the variance of their background",
    "psf": "with weights inverse to the variance of a star's flux",
    "snr": "weighted by the squared signal-to-noise ratio of their stars",
    "fwhm": "weighted by the inverse square of their FWHM",
    "wfwhm": "weighted by their FWHM and number of stars",
    "stars": "weighted by their number of stars",
    "exposure": "weighted by exposure",
}


@dataclass(eq=False)
class _Text:
    sentences: list[str] = field(default_factory=list)
    cited: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence[0].upper() + sentence[1:] + ".")

    def cite(self, keys: Iterable[str]) -> str:
        """``(Groth 1986; Valdes et al. 1995)`` with a blank before it, or nothing."""
        keys = list(keys)
        self.cited += [key for key in keys if key not in self.cited]
        words = "; ".join(REFERENCES[key].short for key in keys)
        return f" ({words})" if words else ""


def methods_of(lineage: Lineage) -> tuple[str, tuple[Reference, ...]]:
    """The paragraph and the works it cites, in the order of their mention.

    Raises
    ------
    InputError
        Nothing is recorded of how the file was made.
    """
    text = _Text()
    chain = [lineage]
    while chain[-1].kind in ("image", "picture") and chain[-1].inputs and chain[-1].inputs[0].of is not None:
        chain.append(chain[-1].inputs[0].of)
    if not any(one.steps and (one.story or one.inputs) for one in chain):
        raise InputError(f"{lineage.path}: it does not say how it was made; give a product of firstlight")
    version = next((one.versions["firstlight"] for one in chain if "firstlight" in one.versions), "")
    data = "master frames" if chain[-1].kind.startswith("master") else "data"
    text.say(f"the {data} were reduced with firstlight{f' {version}' if version else ''}")
    for one in reversed(chain):
        if one.kind == "stack" and "reference" in one.facts:
            _stack(one, text)
        elif one.kind.startswith("master"):
            _master(one, text)
        elif one.steps and one.inputs:
            _operations(one.steps, text)
    libraries = text.cite(("harris2020", "virtanen2020", "lam2015", "astropy2022"))
    text.say(f"firstlight builds on NumPy, SciPy, Numba and Astropy{libraries}")
    return " ".join(text.sentences), tuple(REFERENCES[key] for key in text.cited)


def _stack(one: Lineage, text: _Text) -> None:
    settings, facts = one.settings, one.facts
    n, filter_ = len(one.inputs), facts.get("filter")
    seconds = facts.get("total_exposure_s")
    what = f"{_number(n)} {'exposure' if n == 1 else 'exposures'}"
    what += f" of {facts['target']}" if facts.get("target") else ""
    what += f" through the filter {filter_}" if filter_ else ""
    what += f" ({_duration(seconds)} in all)" if seconds else ""
    text.say(f"{what} {'was' if n == 1 else 'were'} calibrated {_calibrated(one)}")
    calibrate = settings.get("calibrate", {})
    if calibrate.get("optimize_darks", "no") == "entropy":
        text.say(f"the darks were scaled to each exposure by the entropy of its noise{text.cite(['goesele2001'])}")
    elif calibrate.get("optimize_darks", "no") == "noise":
        text.say("the darks were scaled to each exposure so that the noise was least")
    if calibrate.get("cosmic_rays"):
        text.say(f"cosmic rays were found with L.A.Cosmic{text.cite(OF_OPERATIONS['cal:cosmicrays'])}")
    if calibrate.get("banding", "none") != "none":
        text.say(f"banding of the {calibrate['banding'].replace('both', 'rows and columns')} was levelled")
    if any("frames drizzled" in step or facts.get("drizzle") for step in one.steps):
        _registered(one, text)
        drizzle = facts.get("drizzle") or {}
        cite = text.cite(("fruchter2002", "casertano2000"))
        scale = f" onto a grid {drizzle.get('scale', 1):g} times as fine" if drizzle else ""
        text.say(
            f"they were drizzled{scale}{cite}, each pixel held against a first stack in which outliers were rejected"
        )
    else:
        kernel, keys = _KERNELS.get(settings.get("registration", {}).get("kernel", ""), ("", ()))
        how = f", resampled with {_article(kernel)} {kernel} kernel{text.cite(keys)}," if kernel else ""
        _registered(one, text, how)
    _combined(one, text)
    if one.left_out:
        text.say(f"{_number(len(one.left_out))} {'frame was' if len(one.left_out) == 1 else 'frames were'} set aside")


def _calibrated(one: Lineage) -> str:
    roles: dict[str, int] = {}
    for master in one.masters:
        roles[master.role] = roles.get(master.role, 0) + int(master.facts.get("frames", 0))
    if not roles:
        return "without masters"
    names = {"dark flat": "dark flat"}
    parts = [f"a master {names.get(role, role)} of {_number(n)} frames" for role, n in roles.items()]
    return "with " + _listed(parts)


def _registered(one: Lineage, text: _Text, how: str = "") -> None:
    settings = one.settings
    method = settings.get("registration", {}).get("method", "stars")
    words, keys = _REGISTERED.get(method, ("", ()))
    mode = settings.get("normalize", {}).get("mode", "")
    if method == "none" and not how:
        return
    sentence = (
        f"the frames were registered to {one.facts.get('reference', 'one of them')} {words}{text.cite(keys)}{how}"
    )
    flow, flow_keys = _REFINED.get(settings.get("registration", {}).get("refine", "none"), ("", ()))
    if method == "none":
        sentence = f"the frames, registered already, were{how.lstrip(',').rstrip(',')}"
    if mode == "local":
        tile = settings["normalize"].get("tile", 256)
        sentence += f" and normalised to its background locally (tiles of {tile} px) and to its star fluxes"
    elif mode and mode != "none":
        sentence += f" and normalised ({mode.replace('+', ' and ')})"
    text.say(sentence.replace(",,", ","))
    if flow:
        text.say(f"smooth displacements between the frames were found by {flow}{text.cite(flow_keys)} and undone")


def _combined(one: Lineage, text: _Text) -> None:
    head, _, rest = str(one.facts.get("method", "")).partition(":")
    words, keys = _COMBINED.get(head, (f"combined by {head}" if head else "combined", ()))
    limits = dict(part.split("=", 1) for part in rest.split(",") if "=" in part)
    sigma = ""
    if "low" in limits and "high" in limits:
        sigma = f" ({limits['low']} sigma below, {limits['high']} sigma above)"
    weights = _WEIGHTS.get(one.settings.get("normalize", {}).get("weights", ""), "")
    text.say(f"they were {words}{sigma}{text.cite(keys)}{f', {weights}' if weights and len(one.inputs) > 1 else ''}")


def _master(one: Lineage, text: _Text) -> None:
    text.say(f"the {one.kind} is the combination of {_number(len(one.inputs))} frames with rejection of outliers")
    for under in one.masters:
        text.say(f"{under.name} was subtracted from each of them")


def _operations(steps: Sequence[str], text: _Text) -> None:
    """One sentence for each operation: its summary, and the parameters as they were."""
    for step in steps:
        match = re.match(r"([a-z]+:[\w-]+)(?:@\d+)?:?(.*)", step)
        if not match:
            continue
        name, parameters = match.groups()
        try:
            summary = (find_operation(name).function.__doc__ or "").strip().partition("\n")[0]
        except InputError:
            summary = ""
        summary = re.sub(r"`+", "", summary.partition(". ")[0]).rstrip(".")
        given = f" with {parameters.replace(',', ', ')}" if parameters else ""
        cite = text.cite(OF_OPERATIONS.get(name, ()))
        purpose = f": {summary[:1].lower()}{summary[1:]}" if summary else ""
        text.say(f"the operation {name} was applied{given}{cite}{purpose}")


def bibliography(references: Iterable[Reference]) -> str:
    """BibTeX entries."""
    return "\n\n".join(reference.bibtex for reference in references)


def as_dict(paragraph: str, references: Iterable[Reference]) -> Mapping[str, Any]:
    """For JSON."""
    return {
        "paragraph": paragraph,
        "references": [{"key": r.key, "short": r.short, "doi": r.doi, "bibtex": r.bibtex} for r in references],
    }


def _number(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else str(n)


def _article(word: str) -> str:
    return "an" if word[:1].lower() in "aeiou" else "a"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _duration(seconds: float) -> str:
    if seconds < 600:
        return f"{seconds:g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
