"""The plates of stacks, where they are asked for."""

from __future__ import annotations

from firstlight.errors import FrameError
from firstlight.model.image import Image
from firstlight.pipeline.progress import Clock
from firstlight.pipeline.shared_settings import SolveStacks


def with_solved_plate(name: str, image: Image, settings: SolveStacks, clock: Clock) -> tuple[Image, list[str]]:
    """The stack with its plate solved, and a sentence on it; as it was where that is not asked for or fails.

    The plate that the reference frame brought, if any, is the first hint.
    """
    if not settings.stacks:
        return image, []
    from firstlight.pipeline.solve import solve_plate, with_plate

    with clock.stage("solve", 1, "stacks") as stage:
        try:
            solved = solve_plate(image, settings)
        except FrameError as error:
            return image, [f"{name}: no plate: {error}"]
        finally:
            stage.advance()
    facts = solved.facts((image.shape[1], image.shape[2]))
    rms = "" if facts["rms"] is None else f", {facts['matched']} stars, rms {facts['rms']:.3f} arcsec"
    place = f"{facts['ra']:.5f}, {facts['dec']:+.5f}, {facts['scale']:.4g} arcsec/px"
    return with_plate(image, solved.plate), [f"{name}: plate {place}{rms}"]
