"""The compiled half of a block over environments stepped in Python: a function at a time."""

import tensorflow as tf

from dqn.agents import dqn
from dqn.agents.block import begin, learn, pack_episode
from dqn.agents.networks import network_of
from dqn.agents.replay import sample_indices
from dqn.envs.program_key import ProgramKey
from dqn.runtime.traced import Compiled, Kept


class SteppedFunctions:
    """The compiled half of a stepped program, shared by those that step other environments."""

    def __init__(self, key: ProgramKey, kept: Kept | None = None):
        def lanes_of(lanes, *_):
            return lanes

        self.key, self._network = key, network_of(key)
        self.act = Compiled(self._act, f"act {key}", lambda *_: (None, None), kept)
        self.ended = Compiled(self._ended, f"ended {key}", kept=kept)
        self.indices = Compiled(self._indices, f"indices {key}", kept=kept)
        self.learn = Compiled(self._learn, f"learn {key}", lanes_of, kept)
        self.refill = Compiled(self._refill, f"refill {key}", lanes_of, kept)
        self.greedy = Compiled(self._greedy, f"greedy {key}", kept=kept)

    @property
    def compilations(self) -> int:
        """How many programs were made of its functions."""
        learning = (self.act, self.ended, self.indices, self.learn, self.refill)
        return sum(function.compilations for function in (*learning, self.greedy))

    def _act(self, weights, s, t, hyper):
        return dqn.act(weights, s, t, hyper, self._network)

    def _ended(self, episode, t, hyper):
        return pack_episode(episode, t, dqn.epsilon(t, hyper))

    def _indices(self, t, hyper):
        return sample_indices(t, hyper, self.key.batch_size)

    def _learn(self, lanes, rows, before, hyper):
        return learn(lanes, rows, before, hyper, self.key)

    def _refill(self, lanes, mask, state, hyper):
        return begin(lanes, mask, state, hyper, self.key)

    def _greedy(self, weights, s, **_):
        return tf.argmax(self._network.apply(weights, s), -1, output_type=tf.int32)
