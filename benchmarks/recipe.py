"""The exercise's own recipe, as its students write it: `predict`, `predict_on_batch` and `fit`.

The yardstick of the benchmark and the oracle of one test; nothing else may use it.
"""

import random
from collections import deque

import numpy as np


class Recipe:
    """DQN in plain Keras calls; the exercise's settings, epsilon at its floor."""

    def __init__(self, env, create_model, *, epsilon: float = 0.05):
        self.env = env
        self.model, self.target_model = create_model(env, 0.001), create_model(env, 0.001)
        self.target_model.set_weights(self.model.get_weights())
        self.buffer = deque(maxlen=5000)
        self.epsilon = epsilon
        self.steps = 0

    def act(self, state) -> int:
        """ε-greedy in the model's prediction for one state [D]."""
        if random.random() < self.epsilon:
            return random.randrange(int(self.env.action_space.n))
        return int(np.argmax(self.model.predict(state[None], verbose=0)[0]))

    def update(self, batch, gamma: float = 0.99) -> float:
        """One `fit` on five arrays of B transitions, all outputs but the chosen ones to themselves.

        Returns its loss: the mean over all [B, A] outputs.
        """
        states, actions, rewards, next_states, terminals = batch
        targets = np.array(self.model.predict_on_batch(states))  # [B, A]
        next_values = self.target_model.predict_on_batch(next_states).max(axis=1)  # [B]
        rows = np.arange(len(actions))
        targets[rows, actions] = rewards + gamma * (1 - terminals) * next_values
        fitted = self.model.fit(states, targets, batch_size=len(actions), epochs=1, verbose=0)
        return fitted.history["loss"][0]

    def train(self, nb_episodes: int) -> None:
        """Act, store, learn every 4 steps once 64 are stored, copy the target every 100."""
        for _ in range(nb_episodes):
            state, _ = self.env.reset()
            ended = False
            while not ended:
                action = self.act(state)
                next_state, reward, terminal, truncated, _ = self.env.step(action)
                self.buffer.append((state, action, reward, next_state, terminal))
                state, ended = next_state, terminal or truncated
                self.steps += 1
                if self.steps % 4 == 0 and len(self.buffer) >= 64:
                    batch = zip(*random.sample(self.buffer, 32), strict=True)
                    self.update([np.array(field) for field in batch])
                if self.steps % 100 == 0:
                    self.target_model.set_weights(self.model.get_weights())
