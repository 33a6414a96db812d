"""The columns of seeds.csv: a configuration as cells of a row, and a row as a configuration."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dqn.config import Config
from dqn.config.fields import short_repr
from dqn.runtime.errors import UserError
from dqn.statistics.metrics import METRICS
from dqn.storage.safe_yaml import differences, plain, written

STATUSES: tuple[str, ...] = ("done", "pruned", "diverged", "failed")

Cell = bool | int | float | str | None
Row = dict[str, Cell]
"""A line of seeds.csv by column; a blank cell is None."""

# The two budgets share their key with what a training used of them, so their columns say budget.
COLUMN_OF_KEY = {"episodes": "budget_episodes", "steps": "budget_steps"}
_BEFORE = ("trial", "seed")
_AFTER = ("status", "steps", "episodes", *METRICS, "seconds")
_COUNTS = {"trial", "seed", "steps", "episodes"}
# What the environment's id leaves open: columns of its own where it differs between trials.
_ENV = ("env.max_episode_steps", "env.solved_return", "env.kwargs")


def hyperparameters(config: Config, swept: Iterable[str] = ()) -> Row:
    """The hyperparameter columns of one configuration, `env` first, in declared order.

    Where `swept`, the keys and groups that differ between trials, has some of the environment's,
    columns named by those keys follow `env`: "env.max_episode_steps", "env.kwargs.gravity"; the
    group `env` stands for all of them. What another group sets is in `differing_env`.
    """
    cells: Row = {COLUMN_OF_KEY.get(n, n): value for n, value in config.hyperparameters().items()}
    names = _env_columns(swept)
    env = config.to_mapping()["env"] if names else {}
    more = {name: _env_cell(env, name) for name in names}
    return {"env": cells.pop("env"), **more, **cells}


def differing_env(configs: Iterable[Config]) -> tuple[str, ...]:
    """The columns of the environment's settings, beside its id, in which configurations differ."""
    envs = [config.to_mapping()["env"] for config in configs]
    names = dict.fromkeys(
        _column(name.partition("[")[0], envs)
        for env in envs[1:]
        for name, *_ in differences(envs[0], env, "env")
    )
    return tuple(name for name in names if name != "env.id")


def _column(name: str, envs: Sequence[Any]) -> str:
    """The setting `name`, or the mapping around it where its keys are no words of a column."""
    path, values = ["env"], envs
    for part in name.split(".")[1:]:
        keys = [key for value in values if isinstance(value, Mapping) for key in value]
        if not all(isinstance(key, str) and not set(key) & set(".[,") for key in keys):
            break
        path.append(part)
        values = [value.get(part) if isinstance(value, Mapping) else None for value in values]
    return ".".join(path)


def columns_of(hyperparameters: Iterable[str]) -> tuple[str, ...]:
    """All columns of seeds.csv, around those of the hyperparameters."""
    return (*_BEFORE, *hyperparameters, *_AFTER)


def is_within(column: str, others: Iterable[str]) -> bool:
    """Whether a column is one of `others`, or part of what one of them says as a whole."""
    return any(column == other or column.startswith(f"{other}.") for other in others)


def is_same_cell(column: str, one: Cell, other: Cell) -> bool:
    """Whether two cells of a column say the same; of one of YAML the order of its keys is none."""
    if one == other or not column.startswith("env.kwargs"):
        return one == other
    return isinstance(one, str) and isinstance(other, str) and plain(one) == plain(other)


def config_of(row: Mapping[str, Cell], base: Config) -> Config:
    """The configuration of a line of seeds.csv, as `seeds.read_text` gives it; exact.

    What has no column is that of `base`: the keys that no network sees, and what the environment's
    id leaves open in a table whose trials do not differ in it. Raises `UserError` where the cells
    are no configuration.
    """
    mapping = base.to_mapping()
    env = {**mapping["env"], "id": row["env"]}
    for name, cell in row.items():
        if name.startswith("env."):
            _set(env, name.split(".")[1:], cell)
    for name in base.hyperparameters():
        mapping[name] = row[COLUMN_OF_KEY.get(name, name)]
    hidden = [int(width) for width in str(row["hidden"]).split("x")]
    return Config.from_mapping({**mapping, "env": env, "hidden": hidden})


def known(column: str) -> bool:
    """Whether seeds.csv can have a column of this name."""
    return column in _TYPES or column in _ENV or column.startswith("env.kwargs.")


def type_of(column: str) -> type | None:
    """The type of a column's cells that are not blank; None where it may be any."""
    return _TYPES.get(column, _ENV_TYPES.get(column))


def needed() -> tuple[str, ...]:
    """The columns that every seeds.csv has."""
    return tuple(_TYPES)


def may_be_blank(column: str) -> bool:
    """Whether a cell of the column may say that there is no such number."""
    return column in METRICS or column.startswith("env.")


def reader_of(column: str) -> Callable[[str], Cell]:
    """From the text of a cell to its value; it raises `ValueError` or `KeyError` for another."""
    if column.startswith("env.kwargs"):
        return _value
    if column == "status":
        return {status: status for status in STATUSES}.__getitem__
    if column in _COUNTS:
        read = _count
    elif column in METRICS and _TYPES[column] is float:
        read = _metric
    else:
        read = _READERS[_TYPES.get(column, _ENV_TYPES.get(column))]
    return (lambda text: read(text) if text else None) if may_be_blank(column) else read


def expected_in(column: str) -> str:
    """What a cell of the column must be, in words."""
    if column == "status":
        return f"{', '.join(STATUSES[:-1])} or {STATUSES[-1]}"
    if column in _COUNTS:
        return "a whole number >= 0"
    if column in METRICS and _TYPES[column] is float:
        return f"a number of at most {_LARGEST:.3g}"
    return _WORDS[_TYPES.get(column, _ENV_TYPES.get(column, str))]


def _env_columns(swept: Iterable[str]) -> list[str]:
    swept = set(swept)
    names = set(_ENV) if "env" in swept else {n for n in swept if n.startswith("env.")} - {"env.id"}
    inner = {name for name in names if any(name.startswith(f"{other}.") for other in names)}
    order = {name: place for place, name in enumerate(_ENV)}
    return sorted(names - inner, key=lambda name: (order.get(name, len(order)), name))


def _env_cell(env: Mapping[str, Any], column: str) -> Cell:
    value: Any = env
    for name in column.split(".")[1:]:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return _cell(value) if column.startswith("env.kwargs") else value


def _set(env: dict[str, Any], path: Sequence[str], cell: Cell) -> None:
    *outer, name = path
    for part in outer:
        inner = env.get(part)
        env[part] = env = inner if isinstance(inner, dict) else {}
    if path[0] != "kwargs":
        env[name] = cell
    elif cell is None:
        env.pop(name, None)
    else:
        env[name] = _read(path, cell) if isinstance(cell, str) else cell


def _read(path: Sequence[str], cell: str) -> Any:
    try:
        return plain(cell)
    except ValueError as error:
        raise UserError(
            f"env.{'.'.join(path)} must be YAML, got {short_repr(cell)} in seeds.csv ({error}); "
            "restore that line"
        ) from error


def _cell(value: Any) -> Cell:
    """One of the environment's own arguments: a number as it is, anything else as YAML."""
    if isinstance(value, int | float) and not math.isnan(value):
        return value
    if isinstance(value, str) and _value(value) == value == _yaml_or_none(value):
        return value
    style = '"' if isinstance(value, str) else None
    text = written(value, default_flow_style=True, default_style=style, width=math.inf)
    return text.removesuffix("...\n").strip()


def _yaml_or_none(text: str) -> Any:
    try:
        return plain(text)
    except ValueError:
        return None


def _value(text: str) -> Cell:
    """What `_cell` wrote: a number where it is one, else YAML's text."""
    if not text:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _float(text: str) -> float:
    value = float(text)
    if value != value:  # NaN; a third faster than math.isnan, in 300,000 cells
        raise ValueError
    return value


def _metric(text: str) -> float:
    value = _float(text)
    if _LARGEST < abs(value) < math.inf:  # no lane can have earned it, and its sums would overflow
        raise ValueError
    return value


_LARGEST = 2.0**128  # beyond all of float32
_FLAGS = {"True": True, "False": False}
_READERS: dict[Any, Callable[[str], Cell]] = {
    bool: _FLAGS.__getitem__,
    int: int,
    float: _float,
    str: str,
}
_WORDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text"}
_TYPES: dict[str, type] = {
    **dict.fromkeys(_BEFORE, int),
    **{name: type(value) for name, value in hyperparameters(Config()).items()},
    "status": str,
    "steps": int,
    "episodes": int,
    **{name: int if metric.is_episode else float for name, metric in METRICS.items()},
    "seconds": float,
}
_ENV_TYPES: dict[str, type] = {"env.max_episode_steps": int, "env.solved_return": float}
