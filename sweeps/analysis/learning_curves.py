"""Learning curves over seeds and trials: IQM and interval of the mean of 10 returns.

Every seed counts, as in `trials.trial_rows`: one that diverged or failed is worse than every other
from its end on, so that a curve ends once more than a quarter have; one that was done before the
others keeps its last mean; a pruned one counts as far as it went.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn.statistics.learning_curves import TrainingCurve, iqms, smoothed, table_of
from dqn.statistics.metrics import WINDOW
from dqn.storage.columns import Row
from dqn.storage.episodes import read_episodes
from dqn.storage.reader import Results
from dqn.storage.seeds_text import RowId, row_id
from sweeps.analysis.candidates import Candidate
from sweeps.analysis.frames import ReportFrames, by_region
from sweeps.analysis.hyperparameters import Hyperparameter

POINTS = 400  # of a candidate's curve over environment steps
_PLACES = 60  # of a curve of a report
_RESAMPLES = 201  # bands of many trials are looked at, not read off
_MOST_GROUPS, _MOST_LEVELS = 3, 5

LOWEST = (
    "a diverged seed counts as the lowest from its end on; beyond a quarter of them the curve ends"
)
KEPT = "a seed that ended before the others keeps its last mean"
LEFT_OUT = "a pruned seed counts no more from there on"
_RULES = {"diverged": LOWEST, "failed": LOWEST, "done": KEPT, "pruned": LEFT_OUT}


@dataclass(frozen=True)
class Curves:
    """What many trainings had come to at the same places."""

    unit: str
    """episode, or step where trainings are as long as their steps say."""
    places: NDArray[np.float64]
    """[P]."""
    of: Mapping[int, NDArray[np.float64]]
    """By trial, [seeds, P]; NaN where a seed does not count."""


def over_steps(candidates: Iterable[Candidate]) -> bool:
    """Whether environment steps, not episodes, are what their trainings have in common."""
    return any(candidate.config.steps and not candidate.config.episodes for candidate in candidates)


def curve(candidate: Candidate, steps: bool) -> tuple[pd.DataFrame, list[str]]:
    """The learning curve of a candidate over environment steps, or else over episodes.

    Rows `place, value, low, high`: the IQM over seeds of the mean of 10 returns and its interval,
    NaN where there is none, -∞ where too many diverged; and what was done about ended seeds.
    """
    unit = "step" if steps else "episode"
    curves = _curves(candidate.results, candidate.rows, unit, candidate.trial).values()
    last = int(max(seed.end for seed in curves))
    is_long = steps and last > POINTS
    places = np.linspace(0, last, POINTS + 1)[1:] if is_long else np.arange(1.0, last + 1.0)
    ended = {seed.status for seed in curves if seed.end < last}
    rules = dict.fromkeys(rule for status, rule in _RULES.items() if status in ended)
    return _frame(places, table_of(list(curves), places, "by status"), 501), list(rules)


def read_curves(tables: ReportFrames) -> Curves:
    """The curves of all trainings that were not pruned.

    `RunError` for episodes.parquet that cannot be read. 50,000 trainings of 150 episodes take some
    seconds.
    """
    results, unit = tables.results, "episode" if tables.results.base.episodes else "step"
    rows = [row for own in results.rows.values() for row in own if row["status"] != "pruned"]
    curves = _curves(results, rows, unit)
    last = max((float(seed.x[-1]) for seed in curves.values() if seed.x.size), default=0.0)
    places = np.unique(np.linspace(min(WINDOW, last), last, _PLACES).round())
    of_trial = defaultdict(list)
    for (trial, _), seed in curves.items():
        of_trial[trial].append(seed)
    tables_of = {trial: table_of(own, places, "by status") for trial, own in of_trial.items()}
    return Curves(unit, places, tables_of)


def of_trial(curves: Curves, trial: int) -> pd.DataFrame:
    """`place, value, low, high`: the IQM over the seeds of a trial and its 95 % interval."""
    return _band(curves, curves.of.get(trial, np.empty((0, len(curves.places)))), _RESAMPLES * 10)


def by_value(curves: Curves, tables: ReportFrames, hyperparameter: Hyperparameter) -> pd.DataFrame:
    """The same of the trials that share a region of a hyperparameter, with `region` and `trials`.

    As in `frames.of_regions` the band is over trials where a sampler drew them, each the IQM of its
    seeds, and over trainings otherwise. At most five levels, or three regions.
    """
    frames = [pd.DataFrame(columns=["place", "value", "low", "high", "region", "trials"])]
    for region, trials in by_region(tables, hyperparameter, _MOST_GROUPS, _MOST_LEVELS):
        here = [curves.of[trial] for trial in trials["trial"] if trial in curves.of]
        if tables.design == "sampled":
            here = [iqms(of_seeds)[:1] for of_seeds in here]
        if here:
            band = _band(curves, np.concatenate(here), _RESAMPLES)
            frames.append(band.assign(region=region.label, trials=len(here)))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def _frame(places: NDArray[np.float64], table: NDArray[np.float64], resamples: int) -> pd.DataFrame:
    value, low, high = iqms(table, resamples)
    return pd.DataFrame({"place": places, "value": value, "low": low, "high": high})


def _band(curves: Curves, table: NDArray[np.float64], resamples: int) -> pd.DataFrame:
    """Where there is a finite IQM; a low end that is not finite stands at the lowest that is."""
    frame = _frame(curves.places, table, resamples)
    drawn = np.isfinite(frame["value"])
    return pd.DataFrame(with_floor(frame)[drawn].reset_index(drop=True))


def with_floor(frame: pd.DataFrame) -> pd.DataFrame:
    """A curve whose `low` is nowhere below the lowest of what is finite of it: it can be drawn."""
    ends = frame[["value", "low"]].to_numpy()
    return frame.assign(low=frame["low"].clip(ends[np.isfinite(ends)].min(initial=np.inf)))


def _curves(
    results: Results, rows: Iterable[Row], unit: str, trial: int | None = None
) -> dict[RowId, TrainingCurve]:
    """The curve of each of `rows` over `unit`; of one `trial` alone no other's are read."""
    columns = ["trial", "seed", unit, "return"]
    frame = read_episodes(results.path / "episodes.parquet", trial, columns)
    x, returns = frame[unit].to_numpy(), frame["return"].to_numpy()
    sizes = frame.groupby(["trial", "seed"], sort=False).size()
    # The episodes of a training stand together, in their order.
    parts = {
        key: slice(end - size, end)
        for key, size, end in zip(sizes.index, sizes, sizes.cumsum(), strict=True)
    }
    curves = {}
    for row in rows:
        key, end, status = row_id(row), float(row[f"{unit}s"] or 0), str(row["status"])
        part = parts.get(key, slice(0))
        curves[key] = TrainingCurve(x[part], smoothed(returns[part]), end, status)
    return curves
