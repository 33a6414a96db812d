"""The exercise's Q-network: a multilayer perceptron, linear at its end."""

from dataclasses import dataclass

from dqn.agents.networks.network import Network, dense, dense_shapes, hidden_layers


@dataclass(frozen=True)
class MLP(Network):
    """Hidden layers that share one activation, and a linear output."""

    @property
    def shapes(self):
        """As `Network.shapes`."""
        return dense_shapes([self.observation_size, *self.hidden, self.actions])

    def apply(self, weights, x):
        """As `Network.apply`."""
        *hidden, W, b = weights
        return dense(hidden_layers(hidden, x, self.activation), W, b)

    def keras_model(self):
        """As `Network.keras_model`."""
        from dqn.agents.keras.backend import keras  # not above: lanes do without it

        hidden = [keras.layers.Dense(width, activation=self.activation) for width in self.hidden]
        ends = keras.layers.Input((self.observation_size,)), keras.layers.Dense(self.actions)
        return keras.Sequential([ends[0], *hidden, ends[1]])


NETWORK = MLP
