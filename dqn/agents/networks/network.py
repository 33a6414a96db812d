"""What every network is: a frozen object of pure functions, over lanes and as a Keras model."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from dqn.agents.networks.layers import Shapes, glorot_uniform


@dataclass(frozen=True)
class Network(ABC):
    """A Q-network from D observed numbers to A Q-values.

    Its weights are a flat list [W0, b0, W1, b1, …]: first the hidden layers, then a layer with an
    output per action, then any others.
    """

    observation_size: int
    """D."""
    hidden: tuple[int, ...]
    activation: str
    actions: int
    """A."""

    @property
    @abstractmethod
    def shapes(self) -> Shapes:
        """Shapes of the weights, without leading axes."""

    @abstractmethod
    def apply(self, weights, x) -> Any:
        """Q-values [..., B, A] of observations x [..., B, D]."""

    @abstractmethod
    def keras_model(self) -> Any:
        """The same as a new Keras model, whose weights have the order of ours."""

    def init(self, seed) -> list:
        """First weights, [L, ...] each, of lanes with these seeds, int32 [L]."""
        return glorot_uniform(seed, self.shapes)

    def to_keras(self, weights: Sequence[np.ndarray]) -> Any:
        """A plain Keras model with these weights, for `model.keras`."""
        from dqn.agents.keras.backend import single_precision  # not above: lanes do without it

        with single_precision():
            model = self.keras_model()
        model.set_weights(list(weights))
        return model

    def q_function(self, weights: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """The network as a function of NumPy arrays: observations [N, D] → Q-values [N, A].

        A graph traced once: operation by operation an episode of 200 steps takes a second longer.
        """
        tensors = [tf.convert_to_tensor(w, tf.float32) for w in weights]
        spec = tf.TensorSpec([None, self.observation_size], tf.float32)
        traced = tf.function(
            lambda x: self.apply(tensors, x), input_signature=[spec], autograph=False
        ).get_concrete_function()

        def q_values(observations: np.ndarray) -> np.ndarray:
            return traced(tf.convert_to_tensor(observations, tf.float32)).numpy()

        return q_values
