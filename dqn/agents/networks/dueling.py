"""Dueling networks (Wang et al. 2016, "Dueling network architectures for deep RL")."""

from dataclasses import dataclass

import tensorflow as tf

from dqn.agents.networks.network import Network, dense, dense_shapes, hidden_layers


@dataclass(frozen=True)
class Dueling(Network):
    """Hidden layers, and behind them two linear heads: A advantages and one value."""

    @property
    def shapes(self):
        """As `Network.shapes`."""
        heads = ([self.hidden[-1], outputs] for outputs in (self.actions, 1))
        body = [self.observation_size, *self.hidden]
        return [shape for widths in (body, *heads) for shape in dense_shapes(widths)]

    def apply(self, weights, x):
        """Q(s, a) = V(s) + A(s, a) - mean_a' A(s, a'), Eq. 9; otherwise as `Network.apply`."""
        *hidden, W_advantage, b_advantage, W_value, b_value = weights
        h = hidden_layers(hidden, x, self.activation)  # [..., B, H]
        advantage = dense(h, W_advantage, b_advantage)  # [..., B, A]
        value = dense(h, W_value, b_value)  # [..., B, 1]
        return value + advantage - tf.reduce_mean(advantage, -1, keepdims=True)

    def keras_model(self):
        """As `Network.keras_model`."""
        from dqn.agents.keras.backend import keras  # not above: lanes do without it

        h = inputs = keras.layers.Input((self.observation_size,))
        for width in self.hidden:
            h = keras.layers.Dense(width, activation=self.activation)(h)
        advantage, value = keras.layers.Dense(self.actions)(h), keras.layers.Dense(1)(h)
        # In this order Keras lists the advantages' weights before the value's, as `shapes` does.
        q = advantage + value - keras.ops.mean(advantage, -1, keepdims=True)
        return keras.Model(inputs, q)


NETWORK = Dueling
