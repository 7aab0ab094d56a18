"""Spellings of the earlier programs, and old ids, each pointing at a living operation."""

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
    "misc:dtype": "meta:nothing",
    "misc:pedestal": "cal:constant",
    "neutralization:bg": "color:neutralize",
    "nop:nop": "meta:nothing",
    "reconstruct:inpaint": "cal:fillholes",
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

PARAMETERS: dict[str, dict[str, str]] = {
    "color:saturation": {"sat": "factor"},
    "extract:background": {"star_size": "size"},
    "extract:starstuff": {"star_size": "size"},
    "nr:bilateral": {"sigma_spatial": "sigma"},
    "nr:debanding": {"mask_sigma": "mask", "tile_size": "tile"},
    "nr:diffusion": {"L": "limit", "Lspeck": "speck"},
    "nr:median": {"size": "distance"},
    "nr:starlessbilateral": {"sigma_spatial": "sigma"},
    "nr:starlessdiffusion": {"L": "limit", "Lspeck": "speck"},
    "sharp:doublegaussian": {"w2": "halo_weight"},
    "stretch:black": {"p_lo": "percentile", "r_lo": "fraction"},
    "stretch:hdr": {"size": "radius", "smoothing": "smooth"},
    "stretch:percentile": {"p_lo": "low", "p_hi": "high"},
    "stretch:starless": {"shrink": "star_shrink"},
}
"""Parameters of operations as the earlier programs spell them."""
