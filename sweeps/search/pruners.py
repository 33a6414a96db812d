"""Optuna's pruners, from the node `hydra.sweeper.pruner`."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner

from dqn.runtime.errors import must_be
from sweeps.search.options import chosen, made

_BY_SEED = {"NopPruner": None, "WilcoxonPruner": True}


def pruner(node: Mapping[str, Any], rungs: Sequence[float]) -> tuple[BasePruner, bool | None]:
    """What prunes as the node `hydra.sweeper.pruner` says, and when it is asked.

    True: after each seed. False: at each of `rungs`. None: never. Raises `UserError`.
    """
    name, options = chosen("pruner", node)
    by_seed, more = _BY_SEED.get(name, False), {}
    if by_seed is False and not rungs:
        rule = "fractions of the budget, at which this pruner is asked"
        raise must_be("hydra.sweeper.rungs", rule, "[]", example="hydra.sweeper.rungs=[0.25,0.5]")
    if "min_resource" in options:
        more["max_resource"] = most = len(rungs) + 1
        if (least := options["min_resource"]) > most:
            rule = f"at most {most}, the number of rungs and the end"
            raise must_be("hydra.sweeper.pruner.min_resource", rule, least, "lower it")
    return made("pruner", getattr(optuna.pruners, name), options, more), by_seed
