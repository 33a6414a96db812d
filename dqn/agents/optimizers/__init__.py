"""The optimizers that `optimizer=` chooses from: a file each, and its name here."""

from dqn.agents.optimizers import adam
from dqn.agents.optimizers.optimizer import Optimizer

OPTIMIZERS: dict[str, Optimizer] = {"adam": adam.OPTIMIZER}
