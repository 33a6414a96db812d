"""Tidy frames of a folder of results: what a report draws and writes, computed once.

A trial's `value` is the IQM of one metric over its seeds, counted as `trials.trial_rows` says:
infinite, the worst there is, where too many seeds were lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dqn.statistics.formatting import ENDS, format_number, format_setting
from dqn.statistics.metrics import METRICS, interval, iqm
from dqn.storage.reader import Results
from dqn.storage.trials import rank_key, trial_rows, value_of
from sweeps.analysis.hyperparameters import Hyperparameter, Region, hyperparameters_of, regions
from sweeps.analysis.objective import objective_of
from sweeps.analysis.tables import COLLAPSED

_MOST_POINTS = 1000
_MOST_LINES = 200

Design = Literal["run", "grid", "one at a time", "sampled"]


@dataclass(frozen=True)
class ReportFrames:
    """A folder of results as frames."""

    results: Results
    metric: str
    design: Design
    hyperparameters: list[Hyperparameter]
    trials: pd.DataFrame
    """One row a trial, best first: as trials.csv, and `value`, `rows` (trainings that have ended),
    `solved` (share of them), `budget` (share of it that was used, on average) and `order`, what
    they are ordered by: of the metric what `ranked_by` says."""
    ranked_by: str
    """What of the metric: the IQM, or of a study's own what it searched the best of."""
    seeds: pd.DataFrame
    """One row a training: `trial, seed, status, value` (NaN: never asked for), `lost` (diverged or
    failed), `collapsed`, `solved`, `used` (share of its budget)."""

    @property
    def counted(self) -> pd.DataFrame:
        """Trials that show what settings do: not pruned, with a value, finite or not."""
        return self.trials.loc[(self.trials["status"] != "pruned") & self.trials["value"].notna()]


def report_frames(results: Results, metric: str) -> ReportFrames:
    """All of it; 5,000 trials of 10 seeds take some seconds, most of them for intervals."""
    hyperparameters, base = hyperparameters_of(results), results.base
    wanted = range(base.first_seed, base.first_seed + base.seeds)
    own = objective_of(results)
    over, ranked_by = (own.of_rows, own.label) if metric == own.metric else (None, "IQM")
    order = sorted(results.rows, key=lambda n: rank_key(results.rows[n], wanted, metric, over))
    rows = trial_rows([results.rows[n] for n in order], [one.column for one in hyperparameters])
    seeds = _seeds(results, metric)
    of_seeds = seeds.groupby("trial").agg(
        value=("value", lambda values: float(iqm(values.dropna()))),
        rows=("seed", "size"),
        solved=("solved", "mean"),
        budget=("used", "mean"),
    )
    trials = pd.DataFrame(rows).join(of_seeds, on="trial")
    metrics = [name + end for name in METRICS for end in ENDS]
    trials[metrics] = trials[metrics].astype(float)
    trials["order"] = trials["value"]
    if over is not None and ranked_by != "IQM":
        trials["order"] = [over(results.rows[n]) for n in order]
    return ReportFrames(
        results, metric, _design(results), hyperparameters, trials, ranked_by, seeds
    )


def of_regions(tables: ReportFrames, hyperparameter: Hyperparameter) -> pd.DataFrame:
    """What was got where a hyperparameter has its values, one row a region, in order.

    `value` with `low` and `high` is the IQM of the metric with its 95 % interval: over the trials'
    values where a sampler drew them, as other hyperparameters vary as well; else over the trainings
    that were not pruned, as only seeds are random. `trials` and `trainings` count those. `diverged`
    (failed ones too), `collapsed` and `solved` are shares of the trainings.
    """
    name, rows = hyperparameter.name, []
    for region, here in by_region(tables, hyperparameter):
        seeds = tables.seeds.loc[tables.seeds["trial"].isin(here["trial"])]
        seeds = seeds.loc[seeds["status"] != "pruned"]
        sample = here["value"] if tables.design == "sampled" else seeds["value"].dropna()
        low, high = interval(sample.to_numpy(float))
        places = hyperparameter.places(here[hyperparameter.column])
        rows.append({
            "hyperparameter": name, "region": region.label, "from": region.low, "to": region.high,
            "place": np.median(places) if len(here) else region.low,
            "trials": len(here), "trainings": len(seeds),
            "value": float(iqm(sample.to_numpy(float))), "low": float(low), "high": float(high),
            "diverged": seeds["lost"].mean(), "collapsed": seeds["collapsed"].mean(),
            "solved": seeds["solved"].mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def by_region(
    tables: ReportFrames, hyperparameter: Hyperparameter, *most: int
) -> Iterator[tuple[Region, pd.DataFrame]]:
    """The regions of a hyperparameter with the `comparable` trials in each; `most` as `regions`."""
    trials = comparable(tables, hyperparameter)
    number, found = regions(hyperparameter, trials[hyperparameter.column], *most)
    yield from ((region, trials.loc[number == n]) for n, region in enumerate(found))


def reach(frame: pd.DataFrame) -> NDArray[np.float64]:
    """How far `low` and `high` are from `value`, [2, rows]; 0 where that is not finite."""
    apart = frame[["low", "high"]].sub(frame["value"], axis=0).to_numpy(float).T
    return np.abs(np.nan_to_num(apart, posinf=0.0, neginf=0.0))


def comparable(tables: ReportFrames, hyperparameter: Hyperparameter) -> pd.DataFrame:
    """Trials to judge a hyperparameter by: those where it alone was moved, or all."""
    others = [other.column for other in tables.hyperparameters if other != hyperparameter]
    if tables.design != "one at a time" or not others:
        return tables.counted
    usual = tables.trials[others].mode().iloc[0]
    return tables.counted.loc[(tables.counted[others] == usual).all(axis=1)]


def effects(by_hyperparameter: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """How far a metric moves with each hyperparameter, `effect`, from worst to best region.

    From the frames of `of_regions`, the largest first. Infinite where everything in a region was
    lost; NaN where only one region is known.
    """
    found: dict[str, Any] = {}
    for name, frame in by_hyperparameter.items():
        values = frame["value"].dropna()
        finite = values[np.isfinite(values)]
        spread = finite.max() - finite.min() if len(finite) in (0, len(values)) else np.inf
        found[name] = spread if len(values) > 1 else np.nan
    frame = pd.DataFrame({"hyperparameter": list(found), "effect": list(found.values())})
    return frame.astype({"effect": float}).sort_values(
        "effect", ascending=False, kind="stable", ignore_index=True
    )


def of_pair(tables: ReportFrames, first: Hyperparameter, second: Hyperparameter) -> pd.DataFrame:
    """The IQM of the metric where two hyperparameters have their values together, one row a cell.

    `x`, `y` number the regions, `x_region`, `y_region` name them; `trials` counts, `value` is NaN
    in an empty cell.
    """
    trials = tables.counted
    most = int(np.clip(np.sqrt(len(trials) / 3), 2, 5))
    x, x_regions = regions(first, trials[first.column], most)
    y, y_regions = regions(second, trials[second.column], most)
    cells = []
    for i, across in enumerate(x_regions):
        for j, up in enumerate(y_regions):
            values = trials["value"].to_numpy(float)[(x == i) & (y == j)]
            cells.append({
                "x": i, "y": j, "x_region": across.label, "y_region": up.label,
                "trials": len(values), "value": float(iqm(values)),
            })  # fmt: skip
    return pd.DataFrame(cells)


def points(tables: ReportFrames, hyperparameter: Hyperparameter) -> pd.DataFrame:
    """The trials with a finite value as dots, best first: `trial, x, y, text, pruned`.

    `text` is the hyperparameter's value in words. Levels that are no numbers are spread a little
    about their places. Of many trials every n-th, a thousand at most.
    """
    trials = tables.trials.loc[np.isfinite(tables.trials["value"])]
    if tables.design == "one at a time":
        trials = trials.loc[trials["trial"].isin(comparable(tables, hyperparameter)["trial"])]
    trials = trials.iloc[:: max(1, -(-len(trials) // _MOST_POINTS))]
    values, places = trials[hyperparameter.column], hyperparameter.places
    aside = 0.0 if hyperparameter.numeric else 0.3 * ((trials["trial"] * 0.618034) % 1.0 - 0.5)
    return pd.DataFrame({
        "trial": trials["trial"], "x": places(values) + aside, "y": trials["value"],
        "text": values.map(format_setting), "pruned": trials["status"] == "pruned",
    })  # fmt: skip


def on_axes(tables: ReportFrames) -> NDArray[np.float64]:
    """Places on the axes of the hyperparameters, 0 to 1: [trials, hyperparameters]."""
    return np.stack([_heights(one, tables.trials[one.column]) for one in tables.hyperparameters], 1)


def ticks(tables: ReportFrames, hyperparameter: Hyperparameter) -> list[tuple[float, str]]:
    """What stands along that axis of a hyperparameter: its levels, or its two ends."""
    if levels := hyperparameter.levels:
        heights = _heights(hyperparameter, levels).tolist()
        return list(zip(heights, map(format_setting, levels), strict=True))
    places = hyperparameter.places(tables.trials[hyperparameter.column])
    return [(0.0, format_number(places.min(), 3)), (1.0, format_number(places.max(), 3))]


def _heights(hyperparameter: Hyperparameter, values: Any) -> NDArray[np.float64]:
    places = hyperparameter.places(values)
    places = np.log10(places) if hyperparameter.log else places
    return (places - places.min()) / np.ptp(places)


def good_and_others(tables: ReportFrames) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of `tables.trials`: the `leading` ones, best first, and others, every n-th of many."""
    rows = np.flatnonzero(tables.trials["trial"].isin(tables.counted["trial"]))
    good, others = rows[: leading(tables)], rows[leading(tables) :]
    return good, others[:: max(1, -(-len(others) // _MOST_LINES))]


def leading(tables: ReportFrames) -> int:
    """How many trials are called good: the best tenth or five, but at most a quarter of all."""
    trials = len(tables.counted)
    return max(1, min(trials // 4, max(5, -(-trials // 10))))


def _seeds(results: Results, metric: str) -> pd.DataFrame:
    rows = [row for of_trial in results.rows.values() for row in of_trial]
    frame = pd.DataFrame(rows)
    budgets = frame[["budget_episodes", "budget_steps"]].to_numpy(float)
    used = frame[["episodes", "steps"]].to_numpy(float) / np.where(budgets > 0, budgets, np.inf)
    return frame[["trial", "seed", "status"]].assign(
        value=np.array([value_of(metric, row) for row in rows], float),
        lost=frame["status"].isin(["diverged", "failed"]),
        collapsed=frame["collapse"].astype(float) > COLLAPSED,
        solved=frame["solved_at"].notna(),
        used=np.fmax(0.0, used).max(1).clip(max=1.0),
    )


def _design(results: Results) -> Design:
    sampler = (results.sweep or {}).get("sampler")
    target = str(sampler.get("_target_")) if isinstance(sampler, dict) else ""
    if target.endswith("OneAtATime"):
        return "one at a time"
    if results.sweep is None:
        return "run"
    return "grid" if target.endswith("GridSampler") or not target else "sampled"
