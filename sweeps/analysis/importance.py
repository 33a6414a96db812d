"""How much each hyperparameter decides if a trial is among the best: PED-ANOVA, beside chance.

Watanabe, Bansal & Hutter (2023), "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in
Arbitrary Subspaces", as Optuna implements it: the Pearson divergence of the densities of a
hyperparameter's values, of the best trials and of all. A hyperparameter that does nothing gets some
by chance; values dealt out anew to the trials tell how much.
"""

import warnings
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from dqn.statistics.metrics import METRICS
from sweeps.analysis.frames import ReportFrames, leading
from sweeps.analysis.hyperparameters import Hyperparameter, plain_cell

FEWEST = 20  # trials: of fewer the best are too few to tell a density from
_DEALS = 19  # the largest of so many is passed by chance once in twenty times


def importance(tables: ReportFrames) -> tuple[pd.DataFrame | None, str]:
    """Rows `hyperparameter, share, chance`, largest share first, and what they mean; or why none.

    `share` is of all hyperparameters' importance together; `chance` is what a hyperparameter that
    does nothing stays below 95 times in 100, on the same scale.
    """
    trials = tables.counted
    if reason := _unfit(tables):
        return None, reason
    losses, study = _losses(tables), _study(tables)
    quantile = leading(tables) / len(trials)
    raw = pd.Series(_raw(study, losses, quantile), name="share")
    if raw.sum() <= 0.0:
        return None, (
            "PED-ANOVA finds the best trials' values where all others are: no hyperparameter "
            "stands out."
        )
    rng = np.random.default_rng(0)
    dealt = pd.DataFrame([_raw(study, rng.permutation(losses), quantile) for _ in range(_DEALS)])
    frame = pd.DataFrame({"share": raw, "chance": dealt.max()}).loc[raw.index] / raw.sum()
    frame = frame.rename_axis("hyperparameter").reset_index()
    return frame.sort_values("share", ascending=False, ignore_index=True), (
        f"Method: PED-ANOVA (Watanabe et al. 2023). It compares the values of the best "
        f"{leading(tables)} of {len(trials)} trials with those of all: the more a hyperparameter's "
        "good values differ from what was tried, the longer its bar. It says where good trials "
        "are, not how much return is lost elsewhere. The mark is chance: a hyperparameter that "
        "does nothing stays left of it 95 times in 100."
    )


def _unfit(tables: ReportFrames) -> str:
    """Why PED-ANOVA says nothing here; "" where it does."""
    values = tables.counted["value"]
    order = "Hyperparameters are in order of how far the metric moves with them."
    if tables.design == "one at a time":
        return (
            "PED-ANOVA does not apply: each hyperparameter was moved by itself, so there are no "
            f"good trials to compare with all. {order}"
        )
    if len(values) < FEWEST:
        return f"PED-ANOVA needs {FEWEST} trials, here are {len(values)}. {order}"
    if len(set(values)) == 1:
        return "All trials have the same value, so no hyperparameter can be told from another."
    return ""


def _losses(tables: ReportFrames) -> np.ndarray:
    """Of each trial, less is better; an infinite one, which Optuna would drop, is the worst."""
    values = tables.counted["value"].to_numpy(float)
    losses = values if METRICS[tables.metric].lower_is_better else -values
    finite = losses[np.isfinite(losses)]
    return np.where(np.isfinite(losses), losses, finite.max(initial=0.0) + 1.0)


def _study(tables: ReportFrames) -> optuna.Study:
    """The trials in memory, their numbers those of the rows of `tables.counted`."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    columns, space = {}, {}
    for param in tables.hyperparameters:
        columns[param.name] = [_choice(param, value) for value in tables.counted[param.column]]
        space[param.name] = _distribution(param, columns[param.name])
    study = optuna.create_study()
    study.add_trials(
        create_trial(params=dict(zip(columns, values, strict=True)), distributions=space, value=0.0)
        for values in zip(*columns.values(), strict=True)
    )
    return study


def _raw(study: optuna.Study, losses: np.ndarray, quantile: float) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental, and that low targets are the good ones
        return get_param_importances(
            study,
            evaluator=PedAnovaImportanceEvaluator(target_quantile=min(quantile, 0.99)),
            target=lambda trial: float(losses[trial.number]),
            normalize=False,
        )


def _distribution(hyperparameter: Hyperparameter, values: list[Any]) -> BaseDistribution:
    """From what was tried: levels that are not every whole number of a range are choices."""
    whole = hyperparameter.numeric and all(isinstance(value, int) for value in values)
    levels = len(hyperparameter.levels)
    if levels and not (whole and levels == max(values) - min(values) + 1):
        return CategoricalDistribution(list(dict.fromkeys(values)))
    kind = IntDistribution if whole else FloatDistribution
    return kind(min(values), max(values), log=hyperparameter.log)


def _choice(hyperparameter: Hyperparameter, value: Any) -> Any:
    """As Optuna takes it: plain Python, whole numbers as such."""
    if hyperparameter.numeric and float(value).is_integer():
        return int(value)
    return plain_cell(value)
