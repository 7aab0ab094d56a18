"""The Prefect flow: the stages of a session as tasks, with retries, caching and artifacts.

One task is one stage or one field, never one frame: a task costs Prefect 5 to 40 ms and two writes to its database. The
tasks are the plain functions of `firstlight.pipeline.stages`. Prefect is imported when a flow is asked for: the flows
``process_session`` and ``sweep`` are attributes of this module that are made then.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError, InputError
from firstlight.io.read import find_files
from firstlight.pipeline import stages
from firstlight.pipeline.cron import Cron
from firstlight.pipeline.plan import OUTPUT
from firstlight.pipeline.prefect_home import prepare_prefect
from firstlight.pipeline.record import RUN_FILE

RETRIES = 2
RETRY_SECONDS = (5, 30)
QUIET_MINUTES = 10.0
"""A session whose newest file is younger is still being taken."""

DONE = "done"

FLOWS = ("process_session", "sweep")


def __getattr__(name: str) -> Any:
    if name in FLOWS:
        return _flows()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def can_help(task: Any, run: Any, state: Any) -> bool:
    """Whether to try again: a disk that was busy may answer, a wrong setting will not."""
    try:
        state.result()
    except FirstlightError:
        return False
    except Exception:
        # Whatever went wrong in a worker: that is what retries are for.
        return True
    return False


@functools.lru_cache(maxsize=1)
def _flows() -> dict[str, Any]:
    prepare_prefect()
    from prefect import flow, task
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
    from prefect.cache_policies import NO_CACHE, CacheKeyFnPolicy

    def made(work: Callable[..., Any], name: str, *, kept: bool = True) -> Any:
        def key(context: Any, parameters: dict[str, Any]) -> str | None:
            fingerprint = parameters.get("fingerprint")
            rest = "\0".join(str(parameters.get(part, "")) for part in ("session", "output", "field"))
            # A name of a file of its own: paths in it would become folders.
            where = hashlib.sha256(rest.encode(errors="surrogateescape")).hexdigest()[:16]
            return f"firstlight-{name}-{fingerprint}-{where}" if fingerprint else None

        @functools.wraps(work)
        def with_fingerprint(*arguments: Any, fingerprint: str = "", **named: Any) -> Any:
            return work(*arguments, **named)

        # Prefect looks at the parameters by their names: the fingerprint is one of them.
        signature = inspect.signature(work)
        extra = inspect.Parameter("fingerprint", inspect.Parameter.KEYWORD_ONLY, default="", annotation=str)
        with_fingerprint.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*signature.parameters.values(), extra]
        )
        return task(
            with_fingerprint, name=name, retries=RETRIES, retry_delay_seconds=list(RETRY_SECONDS),
            retry_condition_fn=can_help, persist_result=kept,
            cache_policy=CacheKeyFnPolicy(cache_key_fn=key) if kept else NO_CACHE,
        )  # fmt: skip

    plan_task = made(stages.plan_session, "plan", kept=False)
    masters = made(stages.make_masters, "masters")
    measure = made(stages.measure_lights, "measure")
    stack = made(stages.stack_field, "stack")
    finish = made(stages.finish_session, "finish", kept=False)

    @flow(name="firstlight", flow_run_name="{session}", log_prints=False, validate_parameters=False)
    def process_session(
        session: str, output: str | None = None, settings: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Process one session: plan, masters, measure, one task for each field, tables and report."""
        given = {"session": session, "settings": settings, "output": output}
        todo = plan_task(**given)
        mark = slug(Path(todo["session"]).name)
        create_table_artifact(
            [{"kind": kind, "frames": n} for kind, n in todo["frames"].items()], key=f"{mark}-frames",
            description=f"Frames of {todo['session']}",
        )  # fmt: skip
        known = {**given, "fingerprint": todo["fingerprint"]}
        if todo["lights"]:
            masters(**known)
            lights = measure(**known)
            create_table_artifact(lights["lights"], key=f"{mark}-lights", description="What was measured on the lights")
            wait = [stack.submit(field=field, **known) for field in todo["fields"]]
            for future in wait:
                future.result()
        done = finish(**given)
        create_markdown_artifact(
            summary_text(todo, done), key=f"{mark}-summary", description="Stacks and set-aside frames"
        )
        report = Path(done["output"]) / "report.html"
        if report.is_file():
            create_link_artifact(report.as_uri(), link_text="Report", key=f"{mark}-report", description=str(report))
        return done

    @flow(name="firstlight-sweep", log_prints=False, validate_parameters=False)
    def sweep(
        folder: str,
        settings: dict[str, Any] | None = None,
        quiet_minutes: float = QUIET_MINUTES,
        skip: list[str] | None = None,
    ) -> dict[str, str]:
        """Process every session of a folder that is new or has changed, and is not being taken any more."""
        outcome = {}
        for session in sessions_to_do(Path(folder), quiet_minutes):
            if session.name in (skip or ()):
                continue
            try:
                process_session(str(session), settings=settings)
                outcome[session.name] = DONE
            except Exception as error:
                # One night that cannot be processed, for whatever reason, must not keep the others from it.
                outcome[session.name] = f"failed: {error}"
        if outcome:
            create_table_artifact(
                [{"session": name, "outcome": words} for name, words in outcome.items()],
                key=f"{slug(Path(folder).name)}-sweep", description=f"Sessions of {folder}",
            )  # fmt: skip
        return outcome

    return {"process_session": process_session, "sweep": sweep}


def sessions_to_do(folder: Path, quiet_minutes: float = QUIET_MINUTES) -> list[Path]:
    """Sessions in a folder that have no run, or frames younger than their run; those still being taken are left.

    A session is a folder that holds frames, itself or in folders like ``Lights``: each folder directly below, or the
    folder itself where frames lie in it.

    Raises
    ------
    InputError
        There is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder; give the one that holds the sessions")
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    kinds = re.compile(r"(?i)^(lights?|darks?|bias(es)?|flats?|dark.?flats?|firstlight)$")
    candidates = [folder] if any(kinds.match(path.name) for path in below) else below
    return [session for session in candidates if _is_due(session, quiet_minutes)]


def newest(session: Path) -> float:
    """When the newest frame of a session was written, seconds since 1970; 0 without frames, infinite while files are
    being renamed."""
    try:
        return max(
            (path.stat().st_mtime for path in find_files(session) if OUTPUT not in path.relative_to(session).parts),
            default=0.0,
        )
    except FileNotFoundError:
        # A capture program renames what it has written: it is still at work.
        return math.inf


def _is_due(session: Path, quiet_minutes: float) -> bool:
    last = newest(session)
    if not last or time.time() - last < 60 * quiet_minutes:
        return False
    record = session / OUTPUT / RUN_FILE
    return not record.is_file() or record.stat().st_mtime < last


def run_flow(
    session: str, output: str | None = None, settings: Mapping[str, Any] | None = None, *, dask: str | None = None
) -> dict[str, Any]:
    """Run the flow once, with the server that Prefect starts for it (or the one of ``PREFECT_API_URL``).

    ``dask``: tasks go to the Dask scheduler at this address, or (empty) to workers of this machine.

    Raises
    ------
    InputError
        Prefect is not installed; whatever `process` raises.
    """
    flow = _flows()["process_session"]
    if dask is not None:
        try:
            from prefect_dask import DaskTaskRunner
        except ImportError:
            raise InputError("--dask: prefect-dask is not installed; pip install 'firstlight[prefect]'") from None
        local = {"cluster_kwargs": {"host": "127.0.0.1", "dashboard_address": None, "n_workers": os.cpu_count() or 1}}
        flow = flow.with_options(task_runner=DaskTaskRunner(**({"address": dask} if dask else local)))
    try:
        return flow(session, output, dict(settings) if settings else None)
    except RuntimeError as error:
        if "ephemeral" not in str(error):
            raise
        raise InputError(
            f"flow: Prefect's server did not start in time ({error}); set "
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, "
            "or name a server in PREFECT_API_URL"
        ) from None


def serve_sweep(
    folder: Path, settings: Mapping[str, Any] | None, due: Iterator[datetime], quiet_minutes: float,
    say: Callable[[str], None] = lambda text: None, wait: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Look into a folder of sessions at each of these times, and process what is due; until they end or Ctrl-C.

    The times are ours and not those of Prefect's scheduler: that one needs a library in a version of its own choosing,
    and leaves an entry for every look, also where there was nothing to do.
    """
    sweep = _flows()["sweep"]
    failed: dict[str, float] = {}
    for moment in due:
        pause = (moment - datetime.now(moment.tzinfo)).total_seconds()
        if pause > 0:
            wait(pause)
        sessions = {session.name: newest(session) for session in sessions_to_do(folder, quiet_minutes)}
        # What failed is tried again when something in it has changed.
        skip = [name for name, time in sessions.items() if failed.get(name) == time]
        if len(skip) == len(sessions):
            continue
        outcome = sweep(str(folder), settings=settings, quiet_minutes=quiet_minutes, skip=skip)
        for name, words in outcome.items():
            say(f"{name}: {words}")
            if words != DONE:
                failed[name] = sessions.get(name, 0.0)


def every(seconds: float) -> Iterator[datetime]:
    """Now, and then again and again."""
    moment = datetime.now(UTC)
    while True:
        yield moment
        moment = max(moment + timedelta(seconds=seconds), datetime.now(UTC))


def at_times(schedule: Cron) -> Iterator[datetime]:
    """The times of a schedule, in the time of this machine."""
    while True:
        yield schedule.after(datetime.now().astimezone())


def slug(text: str) -> str:
    """A name for an artifact: lower-case letters, digits, dashes.

    >>> slug("M 31, L")
    'm-31-l'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def summary_text(todo: Mapping[str, Any], done: Mapping[str, Any]) -> str:
    """Markdown for Prefect's page: stacks with their pictures, frames set aside with the reasons."""
    lines = [f"# {Path(todo['session']).name}", ""]
    stacks: Sequence[Mapping[str, Any]] = done["stacks"]
    if stacks:
        lines += ["| stack | frames | exposure | FWHM | noise |", "|---|---|---|---|---|"]
        lines += [
            f"| {s['name']} | {s['frames']} | {s['total_exposure_s'] or 0:g} s | {s['fwhm_px'] or 0:.2f} px "
            f"| {s['noise_adu'] or 0:.3g} adu |"
            for s in stacks
        ]
        lines += ["", *_pictures(done, stacks)]
    if done["set_aside"]:
        lines += ["", "## Set aside", ""]
        lines += [f"- `{Path(name).name}`: {reason}" for name, reason in sorted(done["set_aside"].items())]
    lines += ["", f"Products: `{done['output']}`"]
    return "\n".join(lines)


def _pictures(done: Mapping[str, Any], stacks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    from firstlight.io.thumbnails import picture_uri

    for stack in stacks:
        path = Path(done["output"]) / "pictures" / f"{stack['name']}.png"
        if path.is_file():
            yield f"![{stack['name']}]({picture_uri(path, 640)[0]})"
