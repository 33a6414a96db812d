"""Optuna's pruners, from the node `hydra.sweeper.pruner`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import optuna
from optuna.pruners import BasePruner

from dqn.runtime.errors import UserError
from sweeps.search.options import chosen, option, quiet


@dataclass(frozen=True)
class _None:
    by_seed: ClassVar[bool | None] = None


@dataclass(frozen=True)
class _Median:
    by_seed: ClassVar[bool | None] = False
    n_startup_trials: int = option(5, "trials", ">= 0", "whole ones before any is pruned")
    n_warmup_steps: int = option(0, "rungs", ">= 0", "at which none is pruned")
    interval_steps: int = option(1, "rungs", ">= 1", "from one check to the next")
    n_min_trials: int = option(1, "trials", ">= 1", "that must have come to a rung")


@dataclass(frozen=True)
class _Hyperband:
    by_seed: ClassVar[bool | None] = False
    min_resource: int = option(1, "rungs", ">= 1", "before the first cut")
    reduction_factor: int = option(3, "", ">= 2", "one in so many goes on")
    bootstrap_count: int = option(0, "trials", ">= 0", "that must have come to a rung")


@dataclass(frozen=True)
class _Wilcoxon:
    by_seed: ClassVar[bool | None] = True
    p_threshold: float = option(0.1, "probability", "[0, 1]", "below it, a trial is worse")
    n_startup_steps: int = option(2, "seeds", ">= 0", "at which none is pruned")


PRUNERS: dict[str, type] = {
    "optuna.pruners.NopPruner": _None,
    "optuna.pruners.MedianPruner": _Median,
    "optuna.pruners.HyperbandPruner": _Hyperband,
    "optuna.pruners.WilcoxonPruner": _Wilcoxon,
}


def pruner(node: Mapping[str, Any], rungs: Sequence[float]) -> tuple[BasePruner, bool | None]:
    """What prunes as the node `hydra.sweeper.pruner` says, and when it is asked.

    True: after each seed. False: at each of `rungs`. None: never. Raises `UserError`.
    """
    settings = chosen("pruner", node, PRUNERS)
    options = asdict(settings)
    if settings.by_seed is False and not rungs:
        raise UserError(
            "hydra.sweeper.rungs must name a fraction of the budget for this pruner to be asked "
            "at, got []; write for example hydra.sweeper.rungs=[0.25,0.5,0.75]"
        )
    match settings:
        case _Median():
            made = optuna.pruners.MedianPruner(**options)
        case _Hyperband():
            most = len(rungs) + 1
            if settings.min_resource > most:
                raise UserError(
                    f"hydra.sweeper.pruner.min_resource must be at most {most}, the number of "
                    f"rungs and the end, got {settings.min_resource}; lower it"
                )
            made = optuna.pruners.HyperbandPruner(max_resource=most, **options)
        case _Wilcoxon():
            made = quiet(optuna.pruners.WilcoxonPruner, options)
        case _:
            made = optuna.pruners.NopPruner()
    return made, settings.by_seed
