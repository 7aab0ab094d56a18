"""Which gain and read noise a light is given, and from where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from firstlight.library.profile import profile_of
from firstlight.model.meta import Meta

APART = 0.03
"""A header that differs by more from what was measured is named."""


def noise_words(metas: Iterable[Meta], gain: float = 0.0, read_noise: float = 0.0) -> tuple[str, ...]:
    """Sentences that say for how many lights gain and read noise come from where."""
    told = Counter(noise_facts(meta, gain, read_noise)[1] for meta in metas)
    return tuple(f"{n} lights: {words}" for words, n in told.items())


def noise_facts(meta: Meta, gain: float = 0.0, read_noise: float = 0.0) -> tuple[Meta, str]:
    """The header of a light with its gain (e-/adu) and read noise (e-), and where those come from, in words.

    In this order: what the user says (``gain``, ``read_noise`` above 0), what was measured of the detector
    (`firstlight detector`), what the header says. Where nobody says anything they stay unknown, and the noise that each
    frame shows is all there is.

    >>> noise_facts(Meta(gain=1.5))[1]
    'gain 1.5 e-/adu (header), read noise not known: taken from the frames'
    """
    found = profile_of(meta)
    profile = None if found is None else found[1]
    values: dict[str, float] = {}
    sources: dict[str, str] = {}
    words = []
    for name, label, unit, given in (
        ("gain", "gain", "e-/adu", gain), ("read_noise", "read noise", "e-", read_noise)
    ):  # fmt: skip
        header = getattr(meta, name)
        measured = None if profile is None else getattr(profile, name)
        if given > 0:
            value, source = given, "as asked"
        elif found is not None and measured:
            value, source = measured, f"detector profile {found[0].name}"
        elif header:
            words.append(f"{label} {header:.4g} {unit} (header)")
            continue
        else:
            words.append(f"{label} not known: taken from the frames")
            continue
        differs = header and abs(header / value - 1) > APART
        against = f"; the header says {header:.4g}" if differs else ""
        words.append(f"{label} {value:.4g} {unit} ({source}{against})")
        values[name], sources[name] = value, source
    if not values:
        return meta, ", ".join(words)
    return meta.replace(**values, sources={**meta.sources, **sources}), ", ".join(words)
