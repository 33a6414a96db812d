"""One number of a trial, from the seeds it was trained with: what a study searches the best of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dqn.config import Config
from dqn.statistics.metrics import METRICS, STATISTICS, Metrics, Statistic, interval, iqm
from dqn.storage.reader import Results
from dqn.training.trial_source import Row

NAMES = {"iqm": "IQM", "mean": "mean", "median": "median"}


@dataclass(frozen=True, slots=True)
class Objective:
    """`aggregate` (iqm, mean, median or low) over seeds of `metric`, one of `METRICS`.

    `low` is the end that can be counted on of the 95 % interval of the IQM: its lower one, or its
    upper one where less is better.
    """

    metric: str
    aggregate: str

    @property
    def minimised(self) -> bool:
        """Whether less is better."""
        return METRICS[self.metric].lower_is_better

    @property
    def end(self) -> str:
        """The end of an interval that can be counted on."""
        return "upper" if self.minimised else "lower"

    @property
    def label(self) -> str:
        """What of the metric is searched, in words."""
        low = f"{self.end} end of the 95 % interval of the "
        return low * (self.aggregate == "low") + self.statistic_name

    @property
    def statistic_name(self) -> str:
        """What of seeds is compared, in words: of `low` what it is the end of the interval of."""
        return NAMES.get(self.aggregate, "IQM")

    @property
    def statistic(self) -> Statistic:
        """The same as a function."""
        return STATISTICS.get(self.aggregate, iqm)

    def of_rows(self, rows: Iterable[Row]) -> float:
        """The value over rows of seeds.csv; not finite where too many failed, NaN of none."""
        return self._over(self.values(rows))

    def values(self, rows: Iterable[Row]) -> list[float]:
        """The metric of each seed that has one."""
        return [value for row in rows if (value := self.of_seed(row)) is not None]

    def of_seed(self, row: Row) -> float | None:
        """The metric of one seed; None where it was never asked for.

        A seed that did not solve its task counts as one more episode than it had, a diverged or
        failed one as worse than every other in what it never earned.
        """
        value = row[self.metric]
        if value is not None:
            return float(value)
        if row["status"] in ("diverged", "failed"):
            return METRICS[self.metric].lost
        is_episode = METRICS[self.metric].is_episode
        return float(row["episodes"] or 0) + 1.0 if is_episode else None

    def of_metrics(self, metrics: Mapping[int, Metrics], config: Config) -> float:
        """The value at a rung, by seed; `final_return` stands in for a test not yet played.

        A seed that has not solved its task yet counts as if it never will.
        """
        metric = METRICS["final_return" if METRICS[self.metric].of_test else self.metric]
        never = float((config.episodes or config.steps) + 1) if metric.is_episode else math.nan
        values = [of_seed[metric.name] for of_seed in metrics.values()]
        return self._over([never if value is None else float(value) for value in values])

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one < other if self.minimised else one > other

    def _over(self, values: Sequence[float]) -> float:
        if not values:
            return math.nan
        if self.aggregate == "low":
            return float(interval(values)[1 if self.minimised else 0])
        return float(self.statistic(values))


def objective_of(results: Results) -> Objective:
    """What a sweep's trials are judged by; a grid's by the IQM of its mean return."""
    return Objective(results.objective, (results.sweep or {}).get("aggregate", "iqm"))
