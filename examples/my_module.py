"""A network and an environment of one's own; `examples.own_component` trains them.

They are known by import path, "my_module:Mine" and "my_module:Corridor-v0".
"""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from dqn.agents.networks import Network
from dqn.agents.networks.network import dense, dense_shapes, hidden_layers

LENGTH, LIMIT = 8, 40  # cells, steps


class Corridor(gymnasium.Env):
    """A corridor with a reward at its right end. Each step costs a little, and may slip."""

    observation_space = Box(-1.0, 1.0, (2,))  # place, and the last move
    action_space = Discrete(2)  # left, right
    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None):
        self.render_mode = render_mode
        self.place = self.move = 0

    def reset(self, *, seed=None, options=None):
        """Begin in the left half."""
        super().reset(seed=seed)
        self.place, self.move = int(self.np_random.integers(LENGTH // 2)), 0
        return self._observation(), {}

    def step(self, action):
        """Move by one cell; one move in ten goes the other way."""
        self.move = 1 if action else -1
        if self.np_random.random() < 0.1:
            self.move = -self.move
        self.place = max(0, self.place + self.move)
        there = self.place == LENGTH
        return self._observation(), 1.0 if there else -0.02, there, False, {}

    def render(self):
        """A frame of episode.gif: the corridor, and where we are in it."""
        frame = np.full((1, LENGTH + 1, 3), 230, np.uint8)
        frame[0, self.place] = 200, 40, 40
        return frame.repeat(40, 0).repeat(40, 1)

    def _observation(self):
        return np.array([2.0 * self.place / LENGTH - 1.0, self.move], np.float32)


class Mine(Network):
    """Hidden layers, and a linear layer around them: what is simple need not pass through."""

    @property
    def shapes(self):
        """Of the weights: of the hidden layers and their output, then of the layer around them."""
        D, A = self.observation_size, self.actions
        return dense_shapes([D, *self.hidden, A]) + dense_shapes([D, A])

    def apply(self, weights, x):
        """Q(s, a), [..., B, A], of observations x [..., B, D]; leading axes are lanes."""
        *hidden, W_output, b_output, W_around, b_around = weights
        h = hidden_layers(hidden, x, self.activation)  # [..., B, H]
        return dense(h, W_output, b_output) + dense(x, W_around, b_around)

    def keras_model(self):
        """The same of Keras's layers, for model.keras; a network may do without."""
        import keras

        h = x = keras.layers.Input((self.observation_size,))
        for width in self.hidden:
            h = keras.layers.Dense(width, activation=self.activation)(h)
        return keras.Model(
            x, keras.layers.Dense(self.actions)(h) + keras.layers.Dense(self.actions)(x)
        )


gymnasium.register(
    "Corridor-v0", f"{__name__}:Corridor", max_episode_steps=LIMIT, reward_threshold=0.8
)
