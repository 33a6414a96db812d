"""What a command ends with: of a sweep a leaderboard of each task, and what became of the rest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dqn.runtime.errors import RunError
from dqn.statistics.formatting import count
from dqn.storage.columns import COLUMN_OF_KEY
from dqn.storage.ranking import incomparable_settings, task_folders
from dqn.storage.trials import named
from dqn.terminal.tables import leaderboard


def leaderboards(
    trials: Any,
    swept: Sequence[str],
    objective: str,
    ordered_by: str,
    value_of: Callable[[int], float] | None,
) -> str:
    """The tables of `trials`, rows of trials.csv: one a task; and what must be known to read them.

    The other arguments are those of `tables.leaderboard`.
    """
    tasks = list(dict.fromkeys(trials["env"]))
    lines = []
    for task in tasks:
        own = trials[(trials["env"] == task) & trials["same_as"].isna()]
        keys = swept
        if len(tasks) > 1:
            lines.append(f"\n{task}")
            keys = [key for key in swept if _varies(own, key)]
        lines.append(leaderboard(own, keys, objective, ordered_by, value_of=value_of))
        if line := incomparable_settings(own.to_dict("records")):
            lines.append(f"  {line}")
    if same := int(trials["same_as"].notna().sum()):
        whose = "its results" if same == 1 else "their results"
        lines.append(
            f"{count(same, 'trial')} had a configuration that was trained already, and {whose}: "
            "same_as in trials.csv"
        )
    return "\n".join(lines)


def _varies(trials: Any, key: str) -> bool:
    column = COLUMN_OF_KEY.get(key, key)
    return column in trials.columns and trials[column].nunique(dropna=False) > 1


def best_of(trials: Mapping[str, int]) -> list[str]:
    """Which trial best/ is of, by the task; of several tasks each in a folder of its own."""
    if len(trials) < 2:
        return [f"best/ is {named(trial)}" for trial in trials.values()]
    names = task_folders(trials)
    return [f"best/{names[task]} is {named(trial)}" for task, trial in trials.items()]


def unwritten(write: Callable[[], None]) -> list[RunError]:
    """What went wrong as `write` wrote what follows from rows that are on disk already.

    It is raised once the results were shown; the next command writes that.
    """
    try:
        write()
    except RunError as error:
        return [error]
    return []
