"""The ways channels are combined: which images each takes, in which order, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from firstlight.errors import InputError, SpecError, nearest
from firstlight.model.image import Image
from firstlight.ops.color.join import stacked
from firstlight.ops.color.mix import mixed
from firstlight.ops.color.sums import Exposures, Sum, added, blended_exposures
from firstlight.ops.registry import Params
from firstlight.ops.spec import Step, step
from firstlight.ops.stretch.numbers import parse_numbers

COLOURS = ("R", "G", "B")
OTHER_NAMES = {
    "lum_w": "luminance_weight", "rgb_w": "color_weight", "l_fit": "fit", "v_fit": "value_fit",
    "ha_w": "hydrogen_weight", "r_w": "red_weight", "ha_s": "scale", "bg_fit": "background_fit", "size": "radius",
    "smoothing": "smooth",
}  # fmt: skip
"""Parameters as cvastrophoto spells them."""


@dataclass
class Work:
    """What a mode is given: images that lie on each other, and the parameters that are not yet used."""

    mode: str
    images: dict[str, Image]
    """By role; several of one role are NAME1, NAME2 ..."""
    arguments: dict[str, str]
    done: list[str] = field(default_factory=list)
    """Steps taken, pinned, for the record."""
    chains: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    """Steps for ``color``, ``luminance``, ``ha`` and ``ha-luminance``."""

    def take(self, id: str, **fixed: Any) -> Step:
        """An operation with its own parameters out of those given; cvastrophoto's names are understood."""
        from firstlight.ops.registry import find_operation

        known = find_operation(id).params.model_fields
        for name in list(self.arguments):
            key = name if name in known else OTHER_NAMES.get(name, name)
            if key in known and key not in fixed:
                fixed[key] = self.arguments.pop(name)
        return step(id, **fixed)

    def settle(self, model: type[Params], **fixed: Any) -> Any:
        """Parameters of what is no operation, likewise."""
        known = model.model_fields
        for name in list(self.arguments):
            key = name if name in known else OTHER_NAMES.get(name, name)
            if key in known and key not in fixed:
                fixed[key] = self.arguments.pop(name)
        try:
            return model(**fixed)
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            raise SpecError(f"combine {self.mode}: {first['loc'][0]}={first['input']!r}: {message}") from None

    def apply(self, each: Step, image: Image, *others: Image | None) -> Image:
        self.done.append(each.pinned())
        return each(image, *others)

    def chain(self, name: str, image: Image) -> Image:
        """The image after the steps given for its part."""
        for each in self.chains.get(name, ()):
            image = each(image)
        return image

    def colours(self) -> Image:
        """Red, green and blue joined, or the colour image that was given, after the steps for colours."""
        if "RGB" in self.images:
            return self.chain("color", self.images["RGB"])
        red, *rest = (self.images[role] for role in COLOURS)
        return self.chain("color", self.apply(step("color:join"), red, *rest))

    def luminance(self, role: str = "L") -> Image:
        return self.chain("luminance", self.images[role])


@dataclass(frozen=True)
class Mode:
    """One way to combine."""

    summary: str
    roles: tuple[tuple[str, ...], ...]
    """The sets of images it takes, each in order; a role that ends in * stands for two or more."""
    run: Callable[[Work], Image]
    aligned: bool = True
    """Whether images are brought onto each other first, unless told otherwise."""
    stretches: bool = False
    """Whether what comes out is for the eye already."""


def _rgb(work: Work) -> Image:
    return work.colours()


def _bright(space: str, mix: str) -> Callable[[Work], Image]:
    def run(work: Work) -> Image:
        return work.apply(work.take("color:luminance", space=space, mix=mix), work.colours(), work.luminance())

    return run


def _hydrogen(space: str) -> Callable[[Work], Image]:
    def run(work: Work) -> Image:
        hydrogen = work.chain("ha", work.images["Ha"])
        colours = work.apply(work.take("color:hydrogen"), work.colours(), hydrogen)
        bright = work.chain("ha-luminance", hydrogen)
        how = work.arguments.pop("luminance", "replace")
        if how not in ("replace", "weighted", "none"):
            raise SpecError(f"combine {work.mode}: luminance={how!r}; replace, weighted or none is allowed")
        if "L" in work.images:
            # Each weight over the sum of both: equal images stay what they are.
            weights = [float(work.arguments.pop(name, 1.0)) for name in ("ha_l_w", "l_w")]
            total = sum(weights) or 1.0
            rule = Sum(weights="/".join(f"{w / total!r}" for w in weights[::-1]), fit=True)
            bright = added([work.luminance(), bright], rule)
        elif how == "none":
            return colours
        mix = "weighted" if how == "weighted" else "replace"
        each = work.take(
            "color:luminance", space=space, mix=mix, **({} if "l_fit" in work.arguments else {"fit": True})
        )
        return work.apply(each, colours, bright)

    return run


def _super_luminance(work: Work) -> Image:
    return work.apply(work.take("color:superluminance"), work.colours(), work.luminance())


def _narrow(palette: str) -> Callable[[Work], Image]:
    def run(work: Work) -> Image:
        hydrogen = work.chain("ha", work.images["Ha"])
        each = work.take("color:palette", palette=palette)
        return work.chain("color", work.apply(each, hydrogen, work.images["OIII"], work.images.get("SII")))

    return run


def _hgb(work: Work) -> Image:
    hydrogen = work.chain("ha", work.images["Ha"])
    return work.chain("color", work.apply(step("color:join"), hydrogen, work.images["G"], work.images["B"]))


def _matrix(work: Work) -> Image:
    if "matrix" not in work.arguments:
        raise InputError("combine matrix: no matrix; give the shares row by row, such as --args matrix=1/0/0.3/0.7/0/1")
    import numpy as np

    cube = stacked(list(work.images.values()))
    text = work.arguments.pop("matrix")
    numbers = parse_numbers(text)
    n = cube.shape[0]
    if len(numbers) not in (n, 3 * n):
        raise InputError(f"combine matrix: {len(numbers)} numbers for {n} images; {n} (grey) or {3 * n} are needed")
    work.done.append(f"matrix {text}")
    return work.chain("color", mixed(cube, np.array(numbers).reshape(-1, n)))


def _lupton(work: Work) -> Image:
    return work.apply(work.take("stretch:lupton"), work.colours())


def _continuum(work: Work) -> Image:
    hydrogen, red = work.chain("ha", work.images["Ha"]), work.images["R"]
    return work.apply(work.take("color:continuum"), hydrogen, red)


def _transplant(work: Work) -> Image:
    given = dict(work.arguments)
    stars = work.apply(work.take("extract:stars"), work.images["stars"])
    # Both images are taken apart alike.
    work.arguments = given
    behind = work.apply(work.take("extract:starless"), work.images["background"])
    return added([behind, stars], Sum())


def _sum(do: str) -> Callable[[Work], Image]:
    def run(work: Work) -> Image:
        rule = work.settle(Sum, **({"do": do} if do == "add" else {} if "do" in work.arguments else {"do": do}))
        work.done.append(f"{rule.do} weights={rule.weights or 1} fit={str(rule.fit).lower()}")
        return added(list(work.images.values()), rule)

    return run


def _exposures(work: Work) -> Image:
    rule = work.settle(Exposures)
    work.done.append(f"hdr {rule.model_dump()}")
    return blended_exposures(list(work.images.values()), rule)


def _comet(work: Work) -> Image:
    stars, comet, mask = (work.images[role] for role in ("stars", "comet", "mask"))
    return work.apply(work.take("color:blend"), stars, comet, mask)


_RGB = (COLOURS, ("RGB",))
_LRGB = (("L", *COLOURS), ("L", "RGB"))
_HARGB = (("Ha", *COLOURS), ("Ha", "RGB"), ("Ha", "L", *COLOURS), ("Ha", "L", "RGB"))
_ANY = (("image*",),)

MODES: dict[str, Mode] = {
    "rgb": Mode("red, green and blue", _RGB, _rgb),
    "lrgb": Mode("CIE L* of the luminance, hue and chroma of the colours", _LRGB, _bright("cie", "replace")),
    "llrgb": Mode("the same with the mean of the luminance and that of the colours", _LRGB, _bright("cie", "weighted")),
    "lbrgb": Mode("the same with the root of L* times that of blue", _LRGB, _bright("cie", "geometric")),
    "vrgb": Mode("V (HSV) of the luminance, hue and saturation of the colours", _LRGB, _bright("hsv", "replace")),
    "vvrgb": Mode("the same with the mean of the values of both", _LRGB, _bright("hsv", "weighted")),
    "vbrgb": Mode("the same with the root of V times that of blue", _LRGB, _bright("hsv", "geometric")),
    "yrgb": Mode("colours times the luminance over their own: ratios stay", _LRGB, _bright("linear", "replace")),
    "hargb": Mode("hydrogen in red and in the lightness (CIE L*)", _HARGB, _hydrogen("cie")),
    "havrgb": Mode("hydrogen in red and in the value (HSV)", _HARGB, _hydrogen("hsv")),
    "slum": Mode("one luminance of a luminance and the colours", _LRGB, _super_luminance),
    "lupton": Mode("an asinh composite of red, green and blue", _RGB, _lupton, stretches=True),
    "sho": Mode("sulphur, hydrogen, oxygen as red, green, blue", (("SII", "Ha", "OIII"),), _narrow("sho")),
    "hso": Mode("hydrogen, sulphur, oxygen as red, green, blue", (("Ha", "SII", "OIII"),), _narrow("hso")),
    "hoo": Mode("hydrogen as red, oxygen as green and blue", (("Ha", "OIII"),), _narrow("hoo")),
    "hgb": Mode("hydrogen in place of red", (("Ha", "G", "B"),), _hgb),
    "dynamic": Mode(
        "gold and teal, the green after what lines share", (("SII", "Ha", "OIII"), ("Ha", "OIII")), _narrow("dynamic")
    ),
    "matrix": Mode("any images mixed by a matrix", _ANY, _matrix),
    "continuum": Mode("hydrogen without the light of the stars", (("Ha", "R"),), _continuum),
    "star_transplant": Mode(
        "the stars of one image on another without its own", (("stars", "background"),), _transplant
    ),
    "add": Mode("a weighted sum", _ANY, _sum("add")),
    "diff": Mode("the difference of the first and the others", _ANY, _sum("diff")),
    "hdr": Mode("exposures, each where it shows most", _ANY, _exposures),
    "comet": Mode("a comet stack in a stack of stars, by a mask", (("stars", "comet", "mask"),), _comet, aligned=False),
}
"""By name."""


ANY_CHANNELS = ("star_transplant", "comet")
"""Modes whose images may be in colour."""


def find_mode(name: str) -> Mode:
    """The mode of this name.

    Raises
    ------
    SpecError
        There is none.
    """
    if name not in MODES:
        raise SpecError(f"combine: no mode {name!r}{nearest(name, MODES) or ';'} the modes are {', '.join(MODES)}")
    return MODES[name]


def roles_for(name: str, channels: Sequence[int]) -> tuple[str, ...]:
    """What each of the images given is, by their number and their channels.

    >>> roles_for("lrgb", [1, 3]), roles_for("add", [1, 1])
    (('L', 'RGB'), ('image1', 'image2'))

    Raises
    ------
    InputError
        The mode takes others.
    """
    mode = find_mode(name)
    for roles in mode.roles:
        if roles[0].endswith("*"):
            if len(channels) >= 2:
                return tuple(f"{roles[0][:-1]}{k}" for k in range(1, len(channels) + 1))
        elif len(roles) == len(channels) and (name in ANY_CHANNELS or roles.count("RGB") == list(channels).count(3)):
            return roles
    wanted = " or ".join(
        "two or more images" if roles[0].endswith("*") else " ".join(roles) for roles in mode.roles
    )  # fmt: skip
    given = f"{len(channels)} image(s) given" + (f", {list(channels).count(3)} in colour" if 3 in channels else "")
    raise InputError(f"combine {name}: {given}; it takes {wanted} (RGB is one image in colour)")
