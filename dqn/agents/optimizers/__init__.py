"""The optimizers that `optimizer=` chooses from, each in the file of its name, as `OPTIMIZER`."""

import importlib

from dqn.agents.optimizers.optimizer import Optimizer
from dqn.config.config import choices_of

OPTIMIZERS: dict[str, Optimizer] = {
    name: importlib.import_module(f"{__name__}.{name}").OPTIMIZER
    for name in choices_of("optimizer")
}
