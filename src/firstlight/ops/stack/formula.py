"""Formulas over the numbers of frames: ``1 / (fwhm**2 * noise**2)``, ``where(stars > 0.5 * median(stars), 1, 0.2)``.

Read by Python's own parser and worked out node by node: arithmetic, comparisons, known names and known functions. All
else is refused; nothing of a formula is ever run as code.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from firstlight.errors import SpecError, nearest

LONGEST = 300
"""Characters of a formula."""

_OPERATORS: dict[type[ast.AST], Callable[..., np.ndarray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.Not: lambda value: (value == 0).astype(np.float64),
    ast.UAdd: operator.pos,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _over_frames(reduce: Callable[[np.ndarray], float]) -> Callable[[np.ndarray], np.ndarray]:
    def reduced(values: np.ndarray) -> np.ndarray:
        finite = values[np.isfinite(values)]
        return np.full(values.shape, reduce(finite) if len(finite) else np.nan)

    return reduced


def _extreme(of_frames: Callable[[np.ndarray], float], of_two: np.ufunc) -> Callable[..., np.ndarray]:
    def extreme(*values: np.ndarray) -> np.ndarray:
        return _over_frames(of_frames)(values[0]) if len(values) == 1 else of_two.reduce(np.stack(values))

    return extreme


def _share(values: np.ndarray) -> np.ndarray:
    """(x - min) / (max - min) over the frames; 1 for all where they are equal."""
    low, high = _over_frames(np.min)(values), _over_frames(np.max)(values)
    return np.where(high > low, (values - low) / np.where(high > low, high - low, 1.0), 1.0 + 0.0 * values)


def _percentile(values: np.ndarray, percent: np.ndarray) -> np.ndarray:
    at = float(np.clip(percent.flat[0], 0, 100))
    return _over_frames(lambda finite: float(np.percentile(finite, at)))(values)


_FUNCTIONS: dict[str, tuple[Callable[..., np.ndarray], int, int]] = {
    "median": (_over_frames(np.median), 1, 1),
    "mean": (_over_frames(np.mean), 1, 1),
    "std": (_over_frames(np.std), 1, 1),
    "mad": (_over_frames(lambda v: float(np.median(np.abs(v - np.median(v))))), 1, 1),
    "sum": (_over_frames(np.sum), 1, 1),
    "min": (_extreme(np.min, np.minimum), 1, 9),
    "max": (_extreme(np.max, np.maximum), 1, 9),
    "share": (_share, 1, 1),
    "percentile": (
        lambda values, q: _over_frames(lambda v: float(np.percentile(v, np.clip(q[0], 0, 100))))(values),
        2,
        2,
    ),
    "sqrt": (np.sqrt, 1, 1),
    "log": (np.log, 1, 1),
    "log10": (np.log10, 1, 1),
    "exp": (np.exp, 1, 1),
    "abs": (np.abs, 1, 1),
    "where": (lambda test, yes, no: np.where(test != 0, yes, no), 3, 3),
}
"""Function, fewest and most arguments."""


def check_formula(text: str, names: Iterable[str]) -> None:
    """Refuse a formula that could not be worked out from metrics of these names.

    Raises
    ------
    SpecError
        It is no formula, or names a metric or function that does not exist; the message says what exists.
    """
    evaluate_formula(text, {name: np.ones(1) for name in names})


def evaluate_formula(text: str, metrics: Mapping[str, np.ndarray]) -> np.ndarray:
    """Work out a formula for every frame.

    Parameters
    ----------
    text : arithmetic (``+ - * / **``), comparisons and ``and or not`` (1 where true, else 0), numbers, names of
        metrics, and the functions ``median mean std mad sum min max`` over the frames (NaN left out; ``min`` and
        ``max`` of several arguments: frame by frame), ``percentile(x, q)``, ``share`` (from 0 at the lowest frame to 1
        at the highest; 1 where all are equal), ``sqrt log log10 exp abs where(test, yes, no)``.
    metrics : name to float64 (frames,).

    Returns
    -------
    float64 (frames,); not finite where a metric is missing or the arithmetic says so.

    Raises
    ------
    SpecError
        As for `check_formula`.

    >>> evaluate_formula("share(stars)**2 / fwhm", {"stars": np.array([10.0, 20.0, 30.0]), "fwhm": np.full(3, 2.0)})
    array([0.   , 0.125, 0.5  ])
    """
    if len(text) > LONGEST:
        raise SpecError(f"formula: {len(text)} characters; at most {LONGEST} are read")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise SpecError(f"formula {text!r}: {error.args[0]}; write it like 1 / (fwhm**2 * noise**2)") from None
    shape = np.broadcast_shapes(*(np.shape(v) for v in metrics.values()))
    with np.errstate(all="ignore"):
        return np.broadcast_to(_value(tree.body, metrics, text, shape), shape).astype(np.float64)


def _value(node: ast.AST, metrics: Mapping[str, np.ndarray], text: str, shape: tuple[int, ...]) -> np.ndarray:
    def value(child: ast.AST) -> np.ndarray:
        return _value(child, metrics, text, shape)

    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return np.full(shape, float(node.value))
    if isinstance(node, ast.Name):
        if node.id not in metrics:
            raise SpecError(
                f"formula {text!r}: unknown metric {node.id!r}{nearest(node.id, metrics) or ';'} "
                f"the metrics are {', '.join(metrics)}"
            )
        return np.asarray(metrics[node.id], np.float64)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](value(node.left), value(node.right))
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        return _OPERATORS[type(node.op)](value(node.operand))
    if isinstance(node, ast.Compare) and all(type(op) in _OPERATORS for op in node.ops):
        terms = [value(node.left), *map(value, node.comparators)]
        true = [_OPERATORS[type(op)](a, b) for op, a, b in zip(node.ops, terms, terms[1:])]
        return np.logical_and.reduce(true).astype(np.float64)
    if isinstance(node, ast.BoolOp):
        over = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return over.reduce([value(each) != 0 for each in node.values]).astype(np.float64)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        return _call(node.func.id, [value(each) for each in node.args], text)
    what = ast.unparse(node)
    raise SpecError(
        f"formula {text!r}: {what!r} is not allowed; numbers, metrics, + - * / **, comparisons, and, or, not and "
        "functions are"
    )


def _call(name: str, arguments: list[np.ndarray], text: str) -> np.ndarray:
    if name not in _FUNCTIONS:
        raise SpecError(
            f"formula {text!r}: unknown function {name!r}{nearest(name, _FUNCTIONS) or ';'} "
            f"the functions are {', '.join(_FUNCTIONS)}"
        )
    function, fewest, most = _FUNCTIONS[name]
    if not fewest <= len(arguments) <= most:
        need = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise SpecError(f"formula {text!r}: {name} was given {len(arguments)} arguments; it takes {need}")
    return function(*arguments)
