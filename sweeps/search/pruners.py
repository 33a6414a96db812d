"""Optuna's pruners, from the node `hydra.sweeper.pruner`."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner

from dqn.runtime.errors import UserError
from sweeps.search.options import Ranges, chosen, made

PRUNERS: Ranges = {
    "optuna.pruners.NopPruner": {},
    "optuna.pruners.MedianPruner": {
        "n_startup_trials": ">= 0",
        "n_warmup_steps": ">= 0",
        "interval_steps": ">= 1",
        "n_min_trials": ">= 1",
    },
    "optuna.pruners.HyperbandPruner": {
        "min_resource": ">= 1",
        "reduction_factor": ">= 2",
        "bootstrap_count": ">= 0",
    },
    "optuna.pruners.WilcoxonPruner": {"p_threshold": "[0, 1]", "n_startup_steps": ">= 0"},
}
_BY_SEED = {"optuna.pruners.NopPruner": None, "optuna.pruners.WilcoxonPruner": True}


def pruner(node: Mapping[str, Any], rungs: Sequence[float]) -> tuple[BasePruner, bool | None]:
    """What prunes as the node `hydra.sweeper.pruner` says, and when it is asked.

    True: after each seed. False: at each of `rungs`. None: never. Raises `UserError`.
    """
    options, target = chosen("pruner", node, PRUNERS), node["_target_"]
    by_seed = _BY_SEED.get(target, False)
    if by_seed is False and not rungs:
        raise UserError(
            "hydra.sweeper.rungs must name a fraction of the budget for this pruner to be asked "
            "at, got []; write for example hydra.sweeper.rungs=[0.25,0.5,0.75]"
        )
    more = {"max_resource": len(rungs) + 1} if "min_resource" in options else {}
    for most in more.values():
        if options["min_resource"] > most:
            raise UserError(
                f"hydra.sweeper.pruner.min_resource must be at most {most}, the number of rungs "
                f"and the end, got {options['min_resource']}; lower it"
            )
    make = getattr(optuna.pruners, target.rpartition(".")[2])
    return made("pruner", make, options, more), by_seed
