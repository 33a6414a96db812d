"""What every optimizer is: a frozen object of pure functions, over lanes and as Keras has it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from dqn.runtime.errors import UserError

Slots = tuple[list, ...]
"""What an optimizer keeps: for each of its slots a flat list of tensors like the weights."""


@dataclass(frozen=True)
class Optimizer:
    """How gradients change slots, and these the weights: flat lists of tensors [L, ...]."""

    slots: int
    """How many numbers it keeps per weight; all are 0 at first."""
    accumulate: Callable[[list, Slots], Slots]
    """gradients and slots → the slots of this update."""
    step: Callable[[list, list, Slots, Any, Any], list]
    """weights, gradients, those slots, hyper and the update's number (float32 [L]) → weights."""
    keras_class: str = ""
    """The same among the optimizers of Keras; "" where one of one's own is not among them."""
    keras_settings: Mapping[str, Any] = field(default_factory=dict)
    """What that is made with, besides a learning rate."""

    def init(self, weights: list) -> Slots:
        """The slots before the first update."""
        return tuple([tf.zeros_like(w) for w in weights] for _ in range(self.slots))

    def to_keras(self, lr: float) -> Any:
        """The same optimizer of Keras; raises `UserError` where there is none."""
        if not self.keras_class:
            raise UserError(
                "an optimizer without keras_class has no counterpart in Keras: lanes train with "
                "it, create_model cannot",
                "optimizer",
            )
        from dqn.agents.keras.backend import keras  # not above: lanes do without it

        return getattr(keras.optimizers, self.keras_class)(lr, **self.keras_settings)
