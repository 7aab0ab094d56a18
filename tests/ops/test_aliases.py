"""Other spellings point at living operations and hide none."""

import pytest

from firstlight.ops.aliases import ALIASES, PARAMETERS
from firstlight.ops.registry import operations
from firstlight.ops.spec import parse_step


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_another_name_of_an_operation(alias):
    assert alias not in operations()
    each = parse_step(alias)
    meant = parse_step(ALIASES[alias])
    assert (each.operation.id, each.params) == (meant.operation.id, meant.params)
    # History knows the living name only.
    assert each.pinned().startswith(f"{meant.operation.id}@")
    assert alias.partition(":")[2] not in ("", meant.operation.id)


@pytest.mark.parametrize("id", PARAMETERS)
def test_parameters_of_earlier_programs_are_those_of_today(id):
    known = operations()[id].params.model_fields
    for old, new in PARAMETERS[id].items():
        assert old not in known
        assert new in known
    old, new = next(iter(PARAMETERS[id].items()))
    value = getattr(operations()[id].params(), new)
    assert parse_step(f"{id}:{old}={value}").params == parse_step(f"{id}:{new}={value}").params


CVASTROPHOTO = (
    "nop:nop", "tx:shift", "misc:pedestal", "misc:dtype", "abr:localgradient", "abr:uniform", "abr:floor",
    "neutralization:bg", "nr:diffusion", "nr:tv", "nr:wavelet", "nr:bilateral", "nr:median", "nr:gaussian",
    "nr:debanding", "nr:flatdebanding", "nr:starlessdebanding", "nr:starlessdiffusion", "nr:starlesstv",
    "nr:starlesswavelet", "nr:starlessbilateral", "extract:stars", "extract:starstuff", "extract:starless",
    "extract:bg", "extract:wtophat", "sharp:deconvolution", "sharp:drizzle_deconvolution",
    "sharp:gaussian_deconvolution", "sharp:double_gaussian_deconvolution", "sharp:airy_deconvolution",
    "sharp:sampled_deconvolution", "stretch:linear", "stretch:colorimetric", "stretch:auto", "stretch:black",
    "stretch:hdr", "stretch:starlesslinear", "stretch:starlesshdr", "color:convert", "color:extract", "color:wb",
    "color:starlesswb", "color:starwb", "color:clip", "color:clip_range", "color:clip_black", "color:scnr",
    "color:gamma", "color:saturation", "reconstruct:inpaint", "morphology:erode", "morphology:dilate",
    "morphology:open", "morphology:close", "calibration:flat", "calibration:colorflat",
)  # fmt: skip
"""Its operators, but for those that open a window, take a metaimage apart, or need all lights at once."""


@pytest.mark.parametrize("name", CVASTROPHOTO)
def test_every_operator_of_cvastrophoto_is_understood(name):
    assert parse_step(name).operation.id in operations()
