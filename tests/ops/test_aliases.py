"""Other spellings point at living operations and hide none."""

import pytest

from firstlight.errors import SpecError
from firstlight.ops.aliases import ALIASES, ELSEWHERE, GONE, PARAMETERS
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
    for old, meant in PARAMETERS[id].items():
        if isinstance(meant, str):
            name = meant.partition(" x ")[0]
            assert old not in known
            assert name in known
            if name == meant:
                value = getattr(operations()[id].params(), name)
                assert parse_step(f"{id}:{old}={value}").params == parse_step(f"{id}:{name}={value}").params
            continue
        for word, meaning in meant.items():
            names = [each.partition("=")[0] for each in meaning.split(",") if each]
            assert all(name in known for name in names)
            if "*" not in word:
                assert parse_step(f"{id}:{old}={word}").params == parse_step(f"{id}:{meaning}").params


@pytest.mark.parametrize("id", GONE)
def test_parameters_without_a_counterpart_are_refused_with_a_word(id):
    assert id in operations()
    for name, instead in GONE[id].items():
        assert name not in operations()[id].params.model_fields
        with pytest.raises(SpecError, match=f"{name}, of an earlier program") as caught:
            parse_step(f"{id}:{name}=1")
        assert instead in str(caught.value)


def test_operations_that_are_none_here_say_what_there_is():
    for name in ELSEWHERE:
        with pytest.raises(SpecError, match="of an earlier program"):
            parse_step(name)


REFERENCE = {
    "nop:nop": "meta:nothing",
    "tx:shift:x=3,y=-4": "tx:shift:x=3,y=-4",
    "misc:pedestal": "cal:constant:value=0",
    "misc:pedestal:value=100": "cal:constant:value=100",
    "misc:dtype": "meta:nothing",
    "norm:fullstat": "norm:match",
    "norm:fullstat:bg_mode=mul,signal_mode=mul": "norm:match:background=multiply",
    "norm:bgstat:bg_mode=sub": "norm:match:signal=keep",
    "norm:sigstat": "norm:match:background=keep",
    "abr:localgradient:scale=512": "abr:localgradient:scale=512",
    "abr:localgradient:minfilter_size=512,mode=div": "abr:localgradient:scale=512,mode=divide",
    "abr:localgradient:mode=ldiv": "abr:localgradient:mode=luminance",
    "abr:localgradient:mode=set": "abr:localgradient:mode=model",
    "abr:uniform": "abr:uniform",
    "abr:floor:pregauss=2,offset=-1": "abr:floor",
    "neutralization:bg:scale=64,sigma=3,mode=uniform": "color:neutralize:scale=64,sigma=3,mode=uniform",
    "nr:diffusion:L=0.15,steps=20": "nr:diffusion:steps=20",
    "nr:tv:use_meta=1": "nr:tv:noise=variance",
    "nr:wavelet": "nr:wavelet",
    "nr:bilateral:sigma_spatial=3": "nr:bilateral:sigma=3",
    "nr:median:size=2": "nr:median:distance=2",
    "nr:gaussian:sigma=8": "nr:gaussian:sigma=8",
    "nr:debanding:direction=h,hipass=60,tile_size=512": "nr:debanding:direction=rows,hipass=60,tile=512",
    "nr:flatdebanding:direction=v": "nr:flatdebanding:direction=columns",
    "nr:starlessdebanding:denoise_layer=background": "nr:starlessdebanding",
    "nr:starlessdiffusion:L=0.7": "nr:starlessdiffusion:limit=0.7",
    "nr:starlesstv": "nr:starlesstv",
    "nr:starlesswavelet": "nr:starlesswavelet",
    "nr:starlessbilateral": "nr:starlessbilateral",
    "extract:stars:method=starnet": "extract:stars:star_method=starnet",
    "extract:starstuff:star_size=24": "extract:starstuff:size=24",
    "extract:starless:star_size=24": "extract:starless:star_size=24",
    "extract:bg:star_size=24": "extract:background:size=24",
    "extract:wtophat:size=16": "extract:wtophat:size=16",
    "sharp:deconvolution:sample_region=310-240-31-31,strength=0.5":
        "sharp:deconvolution:x=310,y=240,size=31,strength=0.5",
    "sharp:drizzle_deconvolution:scale=3": "sharp:drizzle:scale=3",
    "sharp:gaussian_deconvolution:sigma=1.5,method=rls": "sharp:gaussian:sigma=1.5,method=rl,iterations=100",
    "sharp:double_gaussian_deconvolution:w2=0.2,target=bg": "sharp:doublegaussian:halo_weight=0.2,target=background",
    "sharp:airy_deconvolution:r1=1.25,sigma=0.5,method=wiener": "sharp:airy:radius=1.25,seeing=0.5,method=wiener",
    "sharp:sampled_deconvolution:method=rlf,target=stars": "sharp:stars:method=rl,iterations=5,target=stars",
    "stretch:linear:bright=4": "stretch:linear:bright=4",
    "stretch:colorimetric:bright=8,clipexp=0.5": "stretch:colorimetric:bright=8,clipexp=0.5",
    "stretch:auto:p_lo=1,p_hi=99.9": "stretch:percentile:low=1,high=99.9",
    "stretch:black:p_lo=2": "stretch:black:percentile=2",
    "stretch:black:r_lo=0.01": "stretch:black:fraction=0.01",
    "stretch:hdr:steps=8,size=24,smoothing=8,gamma=2.2": "stretch:hdr:steps=8,radius=24,smooth=8,gamma=2.2",
    "stretch:starlesslinear:star_bright=2,shrink=0.6":
        "stretch:starless:method=linear,bg_bright=4,star_bright=2,star_shrink=0.6",
    "stretch:starlesshdr:bg_bright=3": "stretch:starless:method=hdr,bg_bright=3",
    "color:convert:from=RGB,to=LCH": "color:convert:source=rgb,target=lch",
    "color:extract:channel=1": "color:extract:channel=green",
    "color:wb:wb_set=auto": "color:whitebalance:source=stars",
    "color:wb:wb_set=autobg,protect_white=1": "color:whitebalance:source=background,protect_white=true",
    "color:wb:wb_set=qhy163m-rgb": "color:whitebalance:source=set,set=mn34230-rgb",
    "color:wb:wb_coef=1.2/1/1.5": "color:whitebalance:source=none,red=1.2,green=1,blue=1.5",
    "color:wb:wb_coef=1.2,1,1.5": "color:whitebalance:source=none,red=1.2,green=1,blue=1.5",
    "color:wb:wb_coef=1.2/1/1.5/1": "color:whitebalance:source=none,red=1.2,green=1,blue=1.5",
    "color:starwb:wb_coef=1.1/1/0.9": "color:partbalance:red=1.1,green=1,blue=0.9",
    "color:starlesswb:wb_coef=1.1/1/0.9": "color:partbalance:part=background,red=1.1,green=1,blue=0.9",
    "color:clip": "color:clip",
    "color:clip_range": "color:clip",
    "color:clip_black": "color:clip",
    "color:scnr:channel=1": "color:scnr",
    "color:scnr:invert=true": "color:scnr:limit=minimum",
    "color:gamma:gamma=2": "stretch:gamma:gamma=2",
    "color:saturation:sat=1.5": "color:saturation:factor=1.5",
    "reconstruct:inpaint:mask=zero": "cal:fillholes:method=smooth,zeros=true",
    "morphology:erode:size=16": "morphology:erode:size=16",
    "morphology:dilate": "morphology:dilate",
    "morphology:open": "morphology:open",
    "morphology:close": "morphology:close",
    "inspect:meta": "inspect:uncertainty:show=weight",
    "calibration:flat": "cal:divideflat",
    "calibration:colorflat": "cal:divideflat",
}  # fmt: skip
"""Every operator of cvastrophoto but `inspect:show`, with its parameters where they have other names here."""


@pytest.mark.parametrize("theirs", REFERENCE)
def test_every_operator_of_cvastrophoto_is_understood(theirs):
    assert parse_step(theirs).pinned() == parse_step(REFERENCE[theirs]).pinned()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sharp:deconvolution:sample_region=9-9-31-15", "size would be 31 and 15"),
        ("color:wb:wb_coef=1/2/3/4", "green would be 2 and 4"),
        ("color:wb:wb_coef=2", r"of its words these have a counterpart here: \*/\*/\*/\*"),
        ("reconstruct:inpaint:mask=sat", "have a counterpart here: zero"),
        ("nr:diffusion:L=much", "L='much'; a number is needed"),
        ("abr:localgradient:noisecap=1", "abr:envelope is the chain of cvastrophoto, and has noise_cap"),
    ],
)
def test_what_has_no_counterpart_is_an_error(text, words):
    with pytest.raises(SpecError, match=words):
        parse_step(text)
