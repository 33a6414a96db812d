"""The optimizers that `optimizer=` chooses from, each in the file of its name, as `OPTIMIZER`.

And those of one's own, by import path: see `optimizer_named`.
"""

import importlib

from dqn.agents.optimizers.optimizer import Optimizer
from dqn.config import components
from dqn.config.config import choices_of
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import must_be

OPTIMIZERS: dict[str, Optimizer] = {
    name: importlib.import_module(f"{__name__}.{name}").OPTIMIZER
    for name in choices_of("optimizer")
}


def optimizer_named(name: str) -> Optimizer:
    """The object behind a value of `optimizer`: a built-in one, or one's own at "module:Name".

    Raises `UserError` where that cannot be imported or is no `Optimizer`.
    """
    if name in OPTIMIZERS:
        return OPTIMIZERS[name]
    found = components.load("optimizer", name)
    if not isinstance(found, Optimizer):
        rule = "an object of the class dqn.agents.optimizers.Optimizer"
        got, advice = f"{name!r}, which is none", f"make {name} one"
        raise must_be("optimizer", rule, got, advice, value=name)
    return found


def optimizer_of(key: ProgramKey) -> Optimizer:
    """The optimizer of a block's lanes."""
    return optimizer_named(components.unstamped(key.optimizer))
