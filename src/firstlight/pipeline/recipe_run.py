"""A recipe from the first header to the last file."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from firstlight.errors import ContractError, FrameError, InputError, SpecError, nearest
from firstlight.io.atomic import atomic_path
from firstlight.io.results import Results
from firstlight.pipeline.crew import crew_of
from firstlight.pipeline.flow_of_images import Images
from firstlight.pipeline.graph import FOLDER, KINDS, RESULTS, Graph
from firstlight.pipeline.live import LiveResult, live
from firstlight.pipeline.live_settings import LiveSettings
from firstlight.pipeline.outlook import Outlook, outlook
from firstlight.pipeline.process import Result, default_output, process
from firstlight.pipeline.progress import Clock, Progress
from firstlight.pipeline.recipe import Recipe, RecipeStep
from firstlight.pipeline.record import RUN_FILE
from firstlight.pipeline.settings import Settings


@dataclass(frozen=True)
class StepResult:
    """What became of one of a recipe's steps."""

    name: str
    kind: str
    files: tuple[Path, ...] = ()
    kept: bool = False
    """Nothing of it had to be done."""
    notes: tuple[str, ...] = ()
    missing: str = ""
    """Why it was left out, where it was."""


@dataclass(frozen=True)
class RecipeResult:
    """What a run of a recipe made."""

    recipe: Recipe
    session: Result | LiveResult
    steps: tuple[StepResult, ...] = ()
    timings: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.session.output

    def as_record(self) -> dict[str, Any]:
        """As JSON can hold it."""
        if isinstance(self.session, LiveResult):
            session: dict[str, Any] = {"output": str(self.output), "counts": dict(self.session.counts),
                                       "stacks": self.session.stacks, "set_aside": self.session.set_aside}  # fmt: skip
        else:
            session = self.session.as_record()
        steps = [{**step.__dict__, "files": [str(path) for path in step.files]} for step in self.steps]
        return {"recipe": self.recipe.name, "session": session, "steps": steps}


def run_recipe(
    session: str | Path,
    recipe: Recipe,
    *,
    output: str | Path | None = None,
    progress: Progress | None = None,
    again: bool = False,
    start: str = "",
    once: bool = True,
    stop: threading.Event | None = None,
) -> RecipeResult:
    """Process a session as a recipe says, and do what it says with the stacks.

    Parameters
    ----------
    session : path
        A folder of raw frames; of a live recipe the folder to watch.
    recipe : Recipe
    output : path, optional
        Default ``session/firstlight``.
    progress : Progress, optional
    again : bool
        Do everything, even what is finished.
    start : str
        Do this step anew, and those after it: a step of the session or of the recipe.
    once : bool
        A live recipe works on what is there, and ends; else ``stop`` ends it.

    Raises
    ------
    InputError
        A step that is not optional cannot be done; those before it stand.
    """
    settings = recipe.settings
    if isinstance(settings, LiveSettings):
        watched = live(session, settings, output=output, once=once, stop=stop, progress=progress)
        return RecipeResult(recipe, watched)
    if not isinstance(settings, Settings):
        raise ContractError(f"recipe {recipe.name}: settings of {type(settings).__name__}")
    _check_start(recipe, start)
    of_session = start if start.partition(" ")[0] in KINDS else ""
    result = process(session, settings, output=output, progress=progress, again=again, start=of_session)
    if not recipe.steps:
        return RecipeResult(recipe, result)
    clock = Clock(progress or Progress())
    folder = result.output
    with (
        Graph(folder, again=again, start=start, waiting=clock.progress.say) as graph,
        crew_of(settings, folder) as (executor, _, _),
    ):
        graph.check_start([*KINDS, *(step.name for step in recipe.steps)])
        images = Images(Path(session), folder, settings, graph, executor, clock.progress, _stacks(result))
        done = []
        before = graph.n_made
        for step in recipe.steps:
            with clock.stage(step.name, 0, ""):
                done.append(_do(step, images))
            # The report tells of the steps before it.
            _note(folder, recipe, done, clock, graph.n_made > before)
        graph.settle(besides=KINDS)
    return RecipeResult(recipe, result, tuple(done), clock.timings)


def _check_start(recipe: Recipe, start: str) -> None:
    word = start.partition(" ")[0]
    known = [*KINDS, *(step.name for step in recipe.steps)]
    if word and word not in known:
        raise SpecError(f"--from {word!r}: no such step{nearest(word, known) or ';'} the steps are {', '.join(known)}")


def _stacks(result: Result) -> dict[str, Path]:
    """The stacks of a run by name, those of this time and those that stood."""
    if not result.unchanged:
        found = [stack.name for stack in result.stacks]
    else:
        found = [stack["name"] for stack in result.record.get("stacks", [])]
    return {name: result.output / "stacks" / f"{name}.fits" for name in found}


def _do(step: RecipeStep, images: Images) -> StepResult:
    images.step, images.made, images.notes = step.name, [], []
    before = images.graph.n_made
    missing = ""
    if not images.paths and step.kind.name != "report":
        missing = "there are no stacks"
    else:
        try:
            step.kind.work(images, step.params)
        except (InputError, FrameError) as error:
            if not step.optional:
                raise type(error)(f"step {step.name}: {error}") from error
            missing = str(error)
    kept = not missing and images.graph.n_made == before
    return StepResult(step.name, step.kind.name, tuple(images.made), kept, tuple(images.notes), missing)


def _note(folder: Path, recipe: Recipe, done: Sequence[StepResult], clock: Clock, is_new: bool) -> None:
    """Add the recipe and its products to the record of the run, where there is something new in them."""
    path = folder / RUN_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    earlier = content.get("recipe", {})
    products = sorted({str(file.relative_to(folder)) for each in done for file in each.files})
    told = {
        "name": recipe.name,
        "source": recipe.source,
        "steps": [
            {"step": s.kind.name, "name": s.name, "optional": s.optional, "params": s.params.model_dump()}
            for s in recipe.steps
        ],
        "products": products,
        "left_out": {each.name: each.missing for each in done if each.missing},
        "notes": [note for each in done for note in each.notes],
    }
    whole = len(done) == len(recipe.steps)
    if not is_new and (not whole or told.items() <= {**earlier, "notes": told["notes"]}.items()):
        return
    content["products"] = sorted({*content["products"]} - {*earlier.get("products", [])} | {*products})
    content["recipe"] = {**told, "timings": clock.timings}
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")


def look_ahead(
    session: str | Path, recipe: Recipe, *, output: str | Path | None = None, again: bool = False, start: str = "",
    progress: Progress | None = None,
) -> Outlook:  # fmt: skip
    """What a run of a recipe would do now; nothing is written."""
    settings = recipe.settings
    if not isinstance(settings, Settings):
        raise InputError(f"recipe {recipe.name}: a live session is not looked ahead of")
    _check_start(recipe, start)
    of_session = start if start.partition(" ")[0] in KINDS else ""
    ahead = outlook(session, settings, output=output, again=again, start=of_session, progress=progress)
    folder = Path(output) if output is not None else default_output(Path(session))
    graph = Graph(folder, again=again, start=start)
    graph.look()
    store = folder / FOLDER / RESULTS
    graph.results = Results(store) if store.exists() else Results.nowhere()
    names = [name for kind, name, why in ahead.steps if kind == "stack"]
    if ahead.unchanged:
        content = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        names = [stack["name"] for stack in content["stacks"]]
    fresh = {name for kind, name, why in ahead.steps if kind == "stack" and why}
    graph.check_start([*KINDS, *(step.name for step in recipe.steps)])
    try:
        with crew_of(settings.model_copy(update={"executor": "threads"}), None) as (executor, _, _):
            paths = {name: folder / "stacks" / f"{name}.fits" for name in names}
            images = Images(Path(session), folder, settings, graph, executor, progress or Progress(), paths, dry=True)
            images.expect(paths[name] for name in fresh)
            for step in recipe.steps:
                images.step = step.name
                try:
                    step.kind.work(images, step.params)
                except (InputError, FrameError) as error:
                    # What is not there yet may be all that is missing.
                    new = not all(path.exists() for path in images.paths.values())
                    if new or not step.optional:
                        images.ahead.append((step.name, step.name, "to do" if new else str(error)))
    finally:
        graph.results.close()
    unchanged = ahead.unchanged and not any(why for _, _, why in images.ahead)
    return replace(ahead, steps=(*ahead.steps, *images.ahead), unchanged=unchanged)
