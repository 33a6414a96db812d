"""What a block over environments stepped in Python counts itself, one step after another."""

from collections.abc import Collection

import numpy as np
import tensorflow as tf

from dqn.agents.dqn import EpisodeStats, Hyper, Lanes


class HostState:
    """The parts of `Lanes` and `Hyper` that change with every step, as NumPy arrays [L]."""

    def __init__(self, lanes: Lanes, hyper: Hyper, broken: Collection[int]):
        self._broken = broken  # grows as lanes break
        self.state = lanes.state.numpy().copy()
        self.age, self.episodes = lanes.age.numpy().copy(), lanes.episodes.numpy().copy()
        self.diverged = lanes.diverged.numpy()
        running = [x.numpy().copy() for x in lanes.episode]
        self.ret, self.length, self.q, self.loss, self.updates = running
        self.seed, self.train_freq = hyper.seed.numpy(), hyper.train_freq.numpy()
        self.target_update = hyper.target_update.numpy()
        self.buffer_size = hyper.buffer_size.numpy()
        self.timeout_terminal = hyper.timeout_terminal.numpy()
        self.budget_episodes, self.budget_steps = hyper.episodes.numpy(), hyper.steps.numpy()

    def alive(self) -> np.ndarray:
        """As `lane.alive`, but for lanes whose environment is broken."""
        more = (self.episodes < self.budget_episodes) & (self.age < self.budget_steps)
        alive = more & ~self.diverged
        alive[list(self._broken)] = False
        return alive

    def is_due(self, before) -> np.ndarray:
        """Lanes that may have to learn or to sync after walking from `before`: no others need to.

        A T_train longer than a tick may leave the only sync due to a tick without an update.
        """
        learns = self.age % self.train_freq == 0
        syncs = (self.age - 1) // self.target_update > (before - 1) // self.target_update
        return (self.age > before) & (learns | syncs)

    def episode(self) -> EpisodeStats:
        """The episodes under way."""
        values = (self.ret, self.length, self.q, self.loss, self.updates)
        return EpisodeStats(*(tf.constant(x) for x in values))

    def take_step(self, on, state, r, q_sa) -> None:
        """Count a step in the lanes `on`, which led to `state`."""
        self.state[on] = state
        self.age[on] += 1
        self.ret[on] += r
        self.length[on] += 1
        self.q[on] += q_sa

    def end_episodes(self, ended) -> None:
        """Count the episodes of the lanes `ended` as finished and begin the sums of the next."""
        self.episodes[ended] += 1
        for x in (self.ret, self.length, self.q, self.loss, self.updates):
            x[ended] = 0

    def into(self, lanes: Lanes) -> Lanes:
        """`lanes` as they stand after walking."""
        return lanes._replace(
            state=tf.constant(self.state),
            age=tf.constant(self.age),
            episodes=tf.constant(self.episodes),
            episode=self.episode(),
        )

    def after_learning(self, lanes: Lanes) -> None:
        """Take over what learning changes."""
        self.loss = lanes.episode.loss.numpy().copy()
        self.updates = lanes.episode.updates.numpy().copy()
        self.diverged = lanes.diverged.numpy()
