"""The optimizers of `optimizer=`: a file of this folder each, of its choice's name."""

import importlib

from dqn.agents.optimizers.optimizer import Optimizer
from dqn.config.config import choices_of

OPTIMIZERS: dict[str, Optimizer] = {
    name: importlib.import_module(f"{__name__}.{name}").OPTIMIZER
    for name in choices_of("optimizer")
}
