"""The optimizers that `optimizer=` chooses from, each in the file of its name in this folder.

How to add one: write the file after the model of `adam.py`, with an `OPTIMIZER` at its end, and add
its name to the choices of `optimizer` in `dqn/config/config.py` (`conf/config.yaml` says the same).
The tests of optimizers then hold it against the one of Keras.
"""

import importlib

from dqn.agents.optimizers.optimizer import Optimizer
from dqn.config.config import choices_of

OPTIMIZERS: dict[str, Optimizer] = {
    name: importlib.import_module(f"{__name__}.{name}").OPTIMIZER
    for name in choices_of("optimizer")
}
