"""Tables of a folder of results as pandas has them, every column of the type of its cells."""

from collections.abc import Iterable, Sequence

import pandas as pd

from dqn.config import Config
from dqn.storage import trials
from dqn.storage.columns import Row, columns_of, hyperparameters, may_be_blank, type_of
from dqn.storage.reader import Results

_DTYPES = {bool: "bool", int: "int64", float: "float64"}


def seeds_table(rows: Sequence[Row], base: Config) -> pd.DataFrame:
    """One row a training, as seeds.csv; `base` says the columns where there is none yet.

    Whole numbers are int64, or Int64 where a cell may be blank (`solved_at`); others float64, NaN
    where blank; flags are bool.
    """
    names = list(rows[0]) if rows else columns_of(hyperparameters(base))
    frame = pd.DataFrame(list(rows), columns=list(names))
    return _typed(frame, names)


def trials_table(results: Results, order: Iterable[int]) -> pd.DataFrame:
    """One row a trial, as trials.csv, of the trials in `order`; behind each those like it."""
    of_trial = [results.rows[number] for number in order]
    first = of_trial[0][0] if of_trial else {}
    keys = [name for name in first if name not in columns_of(())] or [
        *hyperparameters(results.base)
    ]
    same: dict[int, list[int]] = {}
    for number, original in sorted(results.same_as.items()):
        same.setdefault(original, []).append(number)
    table: list[Row] = []
    for row in trials.trial_rows(of_trial, keys):
        number = int(row["trial"] or 0)
        table.append(row)
        table += [{**row, "trial": other, "same_as": number} for other in same.get(number, ())]
    names = trials.columns(keys)
    frame = pd.DataFrame(table, columns=list(names))
    metrics = names[names.index("same_as") + 1 :]
    counts = {"seeds_done": "int64", "same_as": "Int64"}
    return _typed(frame, ("trial", *keys)).astype({**counts, **dict.fromkeys(metrics, "float64")})


def _typed(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Columns of seeds.csv as their types; one that may hold anything is left to pandas."""
    kinds = {name: kind for name in names if (kind := type_of(name)) in _DTYPES}
    dtypes = {
        # An earlier version may not have counted what a later one does.
        name: "Int64" if kind is int and (may_be_blank(name) or frame[name].hasnans) else kind
        for name, kind in kinds.items()
    }
    return frame.astype({name: _DTYPES.get(kind, kind) for name, kind in dtypes.items()})
