"""A folder of results as one reads it: nothing is locked, mended or written."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.storage import manifest
from dqn.storage.columns import Row, config_of, hyperparameters, is_within
from dqn.storage.episodes import read_episodes
from dqn.storage.format_version import refuse_newer
from dqn.storage.ranking import Ranking
from dqn.storage.seeds import env_columns, read_text
from dqn.storage.seeds_text import FOLLOWING, SeedsText, row_id
from dqn.storage.thresholds import Thresholds
from dqn.storage.trials import read_same


@dataclass(frozen=True)
class Results:
    """What a folder holds by now: a run (`sweep` is None), a grid or a study."""

    path: Path
    base: Config
    """Of a sweep: what its trials were made from."""
    sweep: Mapping[str, Any] | None
    rows: Mapping[int, list[Row]]
    """Lines of seeds.csv by trial, each trial's in order of their seeds; one trial at least, but
    for `read_so_far`."""
    same_as: Mapping[int, int]
    """By the number of each trial without rows of its own, as its configuration had been trained
    before, that of the trial that has them."""
    part_of: "Results | None" = None
    """All tasks together, where these are the trials of one of several."""

    @property
    def objective(self) -> str:
        """The metric that trials are ordered by."""
        return (self.sweep or {}).get("objective", "mean_return")

    @property
    def tasks(self) -> list[str]:
        """The ids of the environments that trials were trained in, in order of the first trials."""
        return list(dict.fromkeys(str(self.rows[n][0]["env"]) for n in sorted(self.rows)))

    def of_task(self, task: str) -> "Results":
        """The trials of one task alone; `base` has the environment of its first."""
        rows = {n: own for n, own in self.rows.items() if own[0]["env"] == task}
        env = self.config(min(rows)).env
        same = {n: of for n, of in self.same_as.items() if of in rows}
        base = replace(self.base, env=env)
        return replace(self, rows=rows, base=base, same_as=same, part_of=self)

    def ranked(self, over: Callable[[Sequence[Row]], float] | None = None) -> list[int]:
        """Numbers of the trials, task by task, in each the best first.

        By the IQM of the objective, or by `over` of its rows, whose sign must be the objective's.
        """
        seeds = range(self.base.first_seed, self.base.first_seed + self.base.seeds)
        ranking = Ranking(seeds, self.objective, over)
        for rows in self.rows.values():
            ranking.update(rows)
        return ranking.order()

    def config(self, trial: int) -> Config:
        """The configuration that a trial was trained with; `UserError` if its row holds none."""
        return config_of(self.trial(trial)[0], self.base)

    def episodes(self, trial: int) -> pd.DataFrame:
        """A trial's rows of episodes.parquet; raises `RunError` where they cannot be read."""
        return read_episodes(self.path / "episodes.parquet", trial)

    def trial(self, number: int) -> list[Row]:
        """A trial's rows, or of the trial it is the same as; raises `UserError` without any."""
        number = self.same_as.get(number, number)
        if number not in self.rows:
            raise UserError(
                f"{self.path}: trial {number} must have a row in seeds.csv, has none; its trials "
                f"go from {min(self.rows)} to {max(self.rows)}"
            )
        return self.rows[number]


def read(path: Path) -> Results:
    """Read config.yaml, sweep.yaml and seeds.csv of the folder at `path`.

    What an earlier version did not write has its default, follows from the episodes, or is None.

    Raises `UserError` for what is no folder of results, has no training in it yet, or a format that
    is newer than this version; `RunError`, with file, line and column, for a file that is damaged.
    20,000 trainings take 0.6 s.
    """
    results = read_so_far(path, computed=True)
    if not results.rows:
        raise UserError(f"{path}: must hold a finished training, holds none yet; let it go on")
    return results


def read_so_far(path: Path, computed: bool = False) -> Results:
    """The same of a folder that may hold no finished training yet.

    Only where `computed`, episodes are read for what an earlier version did not write: without,
    such columns are None.
    """
    refuse_newer(path)
    mapping = manifest.read_config(path / manifest.CONFIG)
    if mapping is None or not (path / "seeds.csv").exists():
        raise UserError(
            f"{path}: must be a folder of results, with config.yaml and seeds.csv, is not; write "
            "one that python -m dqn.run has made"
        )
    sweep, base = manifest.read_sweep(path / manifest.SWEEP), Config.from_mapping(mapping)
    varied = manifest.varied(path, sweep)
    text = read_text(path / "seeds.csv", hyperparameters(base), varied)
    _refuse_unknown(path, sweep)
    if computed and not set(FOLLOWING).isdisjoint(text.missing):
        _compute(text, path, base)
    rows: dict[int, list[Row]] = defaultdict(list)
    for row in text.rows.values():
        rows[row_id(row)[0]].append(row)
    for of_trial in rows.values():
        of_trial.sort(key=row_id)
    same = {n: of for n, of in read_same(path / "trials.csv").items()
            if of in rows and n not in rows}  # fmt: skip
    return Results(path, base, sweep, dict(rows), same)


def _refuse_unknown(path: Path, sweep: Mapping[str, Any] | None) -> None:
    """Refuse trials of which it is not known what the environment of each was."""
    params, there = (sweep or {}).get("params"), env_columns(path / "seeds.csv")
    for name in params if isinstance(params, Mapping) else ():
        key = name.lstrip("+")
        is_inner = any(is_within(column, [key]) for column in there)
        if key.startswith("env.") and key != "env.id" and not (is_inner or is_within(key, there)):
            raise UserError(
                f"{path}: trials differ in {key}, which seeds.csv must have a column for, has none "
                "(version 0.1.0 wrote none); give the command that made it again: it adds the "
                "column, and trains nothing again"
            )


def _compute(text: SeedsText, path: Path, base: Config) -> None:
    """Fill what the columns of an earlier version leave out, from the episodes if they are here."""
    if not (path / "episodes.parquet").exists():
        return
    frame = read_episodes(path / "episodes.parquet")
    of = dict(list(frame.groupby(["trial", "seed"], sort=False)))
    thresholds = Thresholds(base, imports=False)
    for row in text.rows.values():
        mine = of.get(row_id(row), frame[:0])
        computed = thresholds.computed(row, pd.DataFrame(mine))
        row.update({name: computed[name] for name in text.missing if name in computed})
