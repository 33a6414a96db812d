"""The compiled half of a block over environments stepped in Python: a function at a time."""

from collections.abc import Callable

import tensorflow as tf

from dqn.agents import dqn
from dqn.agents.block import CompiledFunctions, begin, learn, pack_episode
from dqn.agents.networks import network_of
from dqn.agents.replay import sample_indices
from dqn.envs.program_key import ProgramKey
from dqn.runtime.traced import Compiled, Kept, Results


class SteppedFunctions(CompiledFunctions):
    """The compiled half of a stepped program, shared by those that step other environments."""

    def __init__(self, key: ProgramKey, kept: Kept | None = None):
        self.key, network = key, network_of(key)

        def compiled(name: str, function: Callable, results: Results = lambda *_: None) -> Compiled:
            return Compiled(function, f"{name} {key}", results, kept)

        def act(weights, s, t, hyper):
            return dqn.act(weights, s, t, hyper, network)

        def ended(episode, t, hyper):
            return pack_episode(episode, t, dqn.epsilon(t, hyper))

        def greedy(weights, s, **_):
            return tf.argmax(network.apply(weights, s), -1, output_type=tf.int32)

        def lanes_of(lanes, *_):
            return lanes

        self.act = compiled("act", act, lambda *_: (None, None))
        self.ended = compiled("ended", ended)
        self.indices = compiled("indices", lambda t, h: sample_indices(t, h, key.batch_size))
        self.learn = compiled("learn", lambda *given: learn(*given, key), lanes_of)
        self.refill = compiled("refill", lambda *given: begin(*given, key), lanes_of)
        self.greedy = compiled("greedy", greedy)
