"""Trials in order of what they are worth, the best first.

Tasks stand apart, as returns of two tasks do not compare. A task is an environment's id.
"""

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from dqn.storage.columns import Row
from dqn.storage.identity import text_of
from dqn.storage.trials import RankKey, rank_key


class Ranking:
    """The order of trials, each given by its rows of seeds.csv.

    `seeds` are those that a whole trial has; `objective` is the metric that trials are ordered by,
    by what `over` gives of a trial's rows, by default the IQM.
    """

    def __init__(
        self,
        seeds: Collection[int],
        objective: str = "mean_return",
        over: Callable[[Sequence[Row]], float] | None = None,
    ):
        self._seeds, self._objective, self._over = seeds, objective, over
        self._standing: dict[int, RankKey] = {}
        self._task: dict[int, str] = {}

    def update(self, rows: Sequence[Row]) -> None:
        """Take in all rows of one trial, instead of those it had."""
        number = int(rows[0]["trial"] or 0)
        self._standing[number] = rank_key(rows, self._seeds, self._objective, self._over)
        self._task[number] = str(rows[0]["env"])

    def __contains__(self, trial: int) -> bool:
        return trial in self._standing

    def task(self, trial: int) -> str:
        """The id of a trial's environment."""
        return self._task[trial]

    def tasks(self) -> list[str]:
        """The tasks there are, in order of their first trials."""
        return list(dict.fromkeys(self._task[trial] for trial in sorted(self._task)))

    def is_better(self, one: int, other: int) -> bool:
        """Whether a trial is before another one of its task."""
        return self._standing[one] < self._standing[other]

    def order(self, trials: Iterable[int] | None = None) -> list[int]:
        """Numbers of all trials, or of some: task by task, the best of each first."""
        place = {task: number for number, task in enumerate(self.tasks())}
        chosen = self._standing if trials is None else trials
        return sorted(chosen, key=lambda n: (place[self._task[n]], self._standing[n]))

    def best(self) -> dict[str, int]:
        """The number of the best trial of each task, by the task."""
        best: dict[str, int] = {}
        for trial in self.order():
            best.setdefault(self._task[trial], trial)
        return best


def task_folders(tasks: Iterable[str]) -> dict[str, str]:
    """By task, the name of its folder in best/: of what every file system takes, each another."""
    names: dict[str, str] = {}
    for task in tasks:
        word = re.sub(r"[^\w.-]+", "_", task.rpartition(":")[2]).strip(".") or "task"
        taken = {name.casefold() for name in names.values()}
        numbered = (f"{word}-{n}" if n > 1 else word for n in itertools.count(1))
        names[task] = next(name for name in numbered if name.casefold() not in taken)
    return names


def incomparable_settings(settings: Iterable[Mapping[str, Any]]) -> str:
    """One line where trials of one task differ in what may change its returns; "" where not.

    `settings` has for each trial its columns, of which those of the environment count.
    """
    values: dict[str, set[str]] = {}
    for columns in settings:
        for name, value in columns.items():
            if name.startswith("env.") and name not in ("env.id", "env.solved_return"):
                values.setdefault(name, set()).add(text_of(value))
    names = [name for name, each in values.items() if len(each) > 1]
    return f"trials differ in {', '.join(names)}: their returns may not compare" if names else ""
