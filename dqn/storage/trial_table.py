"""trials.csv as a folder keeps it: it follows from seeds.csv, and is written now and then."""

import csv
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dqn.runtime.atomic_write import replacing
from dqn.storage.columns import Row
from dqn.storage.ranking import Ranking
from dqn.storage.trials import columns, read_same, trial_rows

_PAUSE = 50  # writings of it: writing takes a fiftieth of the time at most


class TrialTable:
    """The table at `path`, of trials in the order of `ranking`.

    `hyperparameters` are the names of their columns, `trials` the rows of seeds.csv that there are
    already, by trial. What trials.csv says is the same as another trial stays so.
    """

    def __init__(
        self,
        path: Path,
        hyperparameters: Sequence[str],
        ranking: Ranking,
        trials: dict[int, list[Row]],
    ):
        self._path, self._hyperparameters = path, tuple(hyperparameters)
        self.ranking, self._of_trial = ranking, trials
        for rows in trials.values():
            ranking.update(rows)
        known = read_same(path).items()
        self.same = {n: of for n, of in known if of in trials and n not in trials}
        """By the number of each trial without rows of its own, that of the one that has them."""
        self._rows: dict[int, Row] = {}
        self._stale = set(trials)
        self.is_written, self._write_from = False, 0.0
        if not path.exists():
            self.write()

    def update(self, trial: int) -> None:
        """A trial has other rows than before."""
        self.ranking.update(self._of_trial[trial])
        self._stale.add(trial)
        self.is_written = False

    def add_same(self, number: int, original: int) -> None:
        """Trial `number` is the same as `original`."""
        own = number in self._of_trial  # an earlier version trained it again
        if original in self._of_trial and not own and self.same.get(number) != original:
            self.same[number] = original
            self.is_written = False

    def frame(self) -> pd.DataFrame:
        """One row a trial, task by task, the best first."""
        names = columns(self._hyperparameters)
        frame = pd.DataFrame(self._in_order(), columns=list(names))
        metrics = names[names.index("same_as") + 1 :]
        # A column of blanks alone would be of objects.
        return frame.astype({"same_as": "Int64"} | dict.fromkeys(metrics, float))

    def write_if_due(self) -> None:
        """Write it, unless it was written a moment ago."""
        if time.monotonic() >= self._write_from:
            self.write()

    def write(self) -> None:
        """Write it. Raises `OSError`."""
        start = time.monotonic()
        names = columns(self._hyperparameters)
        with (
            replacing(self._path) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            writer.writerows([row[name] for name in names] for row in self._in_order())
        self.is_written = True
        now = time.monotonic()
        self._write_from = now + _PAUSE * (now - start)

    def _in_order(self) -> list[Row]:
        """All rows; a trial that is the same as another one stands behind it."""
        stale = [self._of_trial[trial] for trial in self._stale]
        made = trial_rows(stale, self._hyperparameters)
        self._rows.update(zip(self._stale, made, strict=True))
        self._stale.clear()
        same: dict[int, list[int]] = defaultdict(list)
        for number, original in sorted(self.same.items()):
            same[original].append(number)
        rows = []
        for trial in self.ranking.order(self._rows):
            row = self._rows[trial]
            rows.append(row)
            rows += [{**row, "trial": number, "same_as": trial} for number in same[trial]]
        return rows
