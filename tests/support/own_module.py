"""A module of the user's own, with components in it, in a folder where Python finds it."""

import importlib
import itertools
import sys

import pytest

from dqn.config import components

_numbers = itertools.count()

TEXT = """
import tensorflow as tf

from dqn.agents.losses import expand_like
from dqn.agents.networks import Network
from dqn.agents.networks.dueling import Dueling
from dqn.agents.networks.mlp import MLP
from dqn.agents.networks.network import dense, dense_shapes
from dqn.agents.optimizers import OPTIMIZERS, Optimizer


class Same(MLP):
    "As the built-in one, to the last bit."


class Wide(Network):
    "One hidden layer, whatever `hidden` says, without biases, and a scale of all Q-values."

    @property
    def shapes(self):
        return [(self.observation_size, 12), (12, self.actions), ()]

    def init(self, seed):
        D, H = self.observation_size, 12
        dense = MLP(D, (H,), "relu", self.actions).init(seed)
        return [dense[0], dense[2], tf.ones(seed.shape)]

    def apply(self, weights, x):
        W, V, scale = weights
        return tf.nn.relu(x @ W) @ V * scale[..., None, None]


class Doubled(MLP):
    "Its Keras model is another function."

    def apply(self, weights, x):
        return 2.0 * super().apply(weights, x)


class Unfinished(Network):
    "Without apply."

    @property
    def shapes(self):
        return []


def _step(weights, gradients, slots, hyper, t):
    pairs = zip(weights, gradients, strict=True)
    return [w - expand_like(hyper.lr, w) * tf.sign(g) for w, g in pairs]


SIGN = Optimizer(0, lambda gradients, slots: slots, _step)
SAME = OPTIMIZERS["adam"]
"""


class OwnModule:
    """`name` is the module's; each test has one of a name of its own."""

    def __init__(self, folder):
        self.name, self._folder = f"own_components_{next(_numbers)}", folder
        self.file = folder / f"{self.name}.py"

    def write(self, text=TEXT):
        """Have the module say that, and be imported anew, as by a new process."""
        self.file.write_text(text)
        self.forget()
        return self

    def forget(self):
        """Have no process have imported it."""
        sys.modules.pop(self.name, None)
        for path in [path for path in components._loaded if path.startswith(f"{self.name}:")]:
            del components._loaded[path]
        importlib.invalidate_caches()

    def __getitem__(self, name):
        """The import path of what has this name in it."""
        return f"{self.name}:{name}"


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module of networks and optimizers; it is not written to Python's cache of bytecode."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # an edit within a second is seen
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(components, "_paths", {key: {} for key in components.COMPONENTS})
    monkeypatch.setattr(components, "_expected", {})
    module = OwnModule(folder).write()
    yield module
    module.forget()
