"""Steps as text: ``family:name[@version][:key=value,key=value]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from firstlight.errors import InputError, SpecError, nearest
from firstlight.model.image import Image, State
from firstlight.ops.aliases import ALIASES, as_of_today
from firstlight.ops.registry import Operation, Params, find_operation


@dataclass(frozen=True)
class Step:
    """One operation with its parameters, ready to be applied."""

    operation: Operation
    params: Params

    def __call__(self, image: Image, *frames: Image | None) -> Image:
        """Apply; the result carries one history entry more, in pinned form. None stands for an optional frame."""
        operation = self.operation
        self.check(image)
        needed = len(operation.frames) - len(operation.optional)
        if not needed <= len(frames) <= len(operation.frames) or None in frames[:needed]:
            takes = ", ".join(f"{n} (optional)" if n in operation.optional else n for n in operation.frames)
            raise InputError(f"{operation.id}: {len(frames)} further images given; it takes {takes or 'none'}")
        return self.signed(image, operation.function(image, self.params, *frames))

    def signed(self, image: Image, result: Image) -> Image:
        """The result of this step on an image, with its state and one entry more in its history."""
        return result.replace(state=self.gives or image.state, history=(*image.history, self.pinned()))

    def check(self, image: Image) -> None:
        """Whether the image is in the state that the operation needs.

        Raises
        ------
        InputError
            It is not.
        """
        if self.demands is not None and image.state != self.demands:
            raise InputError(
                f"{self.operation.id}: the image is {image.state}; it needs {self.demands} data; "
                f"apply it {'before' if self.demands == 'linear' else 'after'} the stretch"
            )

    @property
    def undoes(self) -> bool:
        """Whether it takes a stretch back."""
        return self.operation.gives == State.STRETCHED and bool(getattr(self.params, "inverse", False))

    @property
    def demands(self) -> State | None:
        """State the image must be in; None: either."""
        return State.STRETCHED if self.undoes else self.operation.demands

    @property
    def gives(self) -> State | None:
        """State of the result; None: that of the image."""
        return State.LINEAR if self.undoes else self.operation.gives

    def __str__(self) -> str:
        """Short form: only what differs from the defaults."""
        return self._text(self.operation.id, self.params.model_dump(exclude_defaults=True))

    def pinned(self) -> str:
        """Full form, with version and every parameter, so that a later default never rewrites the past."""
        return self._text(f"{self.operation.id}@{self.operation.version}", self.params.model_dump())

    @staticmethod
    def _text(head: str, values: dict[str, Any]) -> str:
        body = ",".join(f"{key}={_word(value)}" for key, value in values.items())
        return f"{head}:{body}" if body else head

    def __reduce__(self) -> tuple[Any, ...]:
        return parse_step, (self.pinned(),)


def step(id: str, **values: Any) -> Step:
    """A step from an id (or an alias) and keyword arguments."""
    operation = find_operation(id)
    return Step(operation, _validated(operation, _pairs(operation, "", id) | values))


def parse_step(text: str) -> Step:
    """Read a spec string.

    Raises
    ------
    SpecError
        Unknown operation, parameter, version or value; the message names the nearest that exists.
    """
    head, _, body = text.strip().partition(":")
    name, _, body = body.partition(":")
    name, _, version = name.partition("@")
    operation = find_operation(f"{head}:{name}")
    if version and version != str(operation.version):
        raise SpecError(f"{operation.id} is at version {operation.version}, not {version}; write it without @{version}")
    return Step(operation, _validated(operation, _pairs(operation, body, f"{head}:{name}")))


def _pairs(operation: Operation, body: str, alias: str) -> dict[str, Any]:
    """The parameters of ``key=value,key=value``, on top of those that an alias stands for."""
    values: dict[str, Any] = {}
    key = ""
    meant = ALIASES.get(alias, "").split(":")[2:]
    for part in filter(None, (*",".join(meant).split(","), *body.split(","))):
        name, separator, value = part.partition("=")
        if separator:
            key = name.strip()
            values[key] = value.strip()
        elif key and _is_number(part):
            # A list of numbers: weights=1,2,3.
            values[key] += f",{part.strip()}"
        else:
            raise SpecError(f"{operation.id}: write parameters as key=value, got {part!r}")
    return values


def _validated(operation: Operation, values: dict[str, Any]) -> Params:
    known = operation.params.model_fields
    values = as_of_today(operation.id, known, values)
    for key in values:
        if key not in known:
            takes = f"It takes: {', '.join(known)}." if known else "It takes no parameters."
            raise SpecError(f"{operation.id}: no parameter {key!r}{nearest(key, known) or '.'} {takes}")
    try:
        return operation.params(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        given = f"{where}={first['input']!r}: " if where else ""
        message = first["msg"].removeprefix("Value error, ")
        raise SpecError(f"{operation.id}: {given}{message[0].lower()}{message[1:]}") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
