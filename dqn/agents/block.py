"""What a block of lanes is, whoever steps its environments.

`compiled_loop` steps them in TensorFlow, `stepped_loop` in Python. Both go act → environment →
`after_step` → learn: with the functions of `dqn` and those here, nothing of it is written twice.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from dqn.agents import dqn
from dqn.agents.dqn import EpisodeStats, Hyper, Lanes, Learner, Tensor
from dqn.agents.networks import network_of
from dqn.agents.optimizers import optimizer_of
from dqn.agents.replay import Transition
from dqn.envs.program_key import ProgramKey
from dqn.runtime.traced import Compiled

RECORDS = 256  # episodes a lane can end in one chunk; a chunk returns before there are more


class CompiledFunctions:
    """Functions of one program key, which are its attributes."""

    @property
    def compilations(self) -> int:
        """How many programs were made of them."""
        return sum(f.compilations for f in vars(self).values() if isinstance(f, Compiled))


class Chunk(NamedTuple):
    """What a chunk of ticks leaves: the block, its records and how much of it was work."""

    lanes: Lanes
    records: Tensor = None  # [L, M + 1, columns]; the first `recorded` of each lane count
    recorded: Tensor = None  # int32 [L]
    alive: Tensor = None  # bool [L]
    ticks: Tensor = None  # int32 []
    work: Tensor = None  # int32 [], lane-ticks in which a lane was alive


def empty_lanes(key: ProgramKey, state) -> Lanes:
    """Lanes that have not begun, in `state` [L, S]."""
    L = key.lanes
    zeros = [tf.zeros([L, *w]) for w in network_of(key).shapes]
    count, real = tf.zeros([L], tf.int32), tf.zeros([L])
    return Lanes(
        learner=Learner(zeros, zeros, optimizer_of(key).init(zeros), count),
        state=state,
        t=count,
        episodes=count,
        episode=EpisodeStats(real, count, real, real, count),
        diverged=tf.zeros([L], tf.bool),
    )


def begin(lanes: Lanes, mask, state, hyper: Hyper, key: ProgramKey) -> Lanes:
    """Start a new training, in `state` [L, S], in every lane of `mask` (bool [L])."""
    # Its replay memory needs no clearing: what a lane may sample is bounded by its `t`.
    weights = network_of(key).init(hyper.seed)
    fresh = empty_lanes(key, state)
    fresh = fresh._replace(learner=fresh.learner._replace(weights=weights, target=weights))
    return dqn.select(mask, fresh, lanes)


def after_step(
    lanes: Lanes, step: Transition, q_sa, truncated, active, hyper: Hyper, xp: Any
) -> tuple[Lanes, Transition, EpisodeStats, Tensor]:
    """What follows an environment step in the lanes that are `active` (bool [L]).

    `step` has an unpacked transition of each lane, `q_sa` the Q-value of its action; what other
    lanes have there is not read. `xp` is TensorFlow for tensors and NumPy for arrays. Returns the
    lanes with the step counted, whose `state` is for the caller to set; the transition to store;
    the episodes so far, to be recorded in the lanes where one has ended; those lanes, bool [L].
    """
    running = lanes.episode
    episode = running._replace(
        ret=running.ret + step.r, length=running.length + 1, q=running.q + q_sa
    )
    ended = active & (step.terminal | truncated)
    following = EpisodeStats(*(xp.where(ended, xp.zeros_like(x), x) for x in episode))
    counted = (xp.where(active, new, old) for new, old in zip(following, running, strict=True))
    lanes = lanes._replace(
        t=xp.where(active, lanes.t + 1, lanes.t),
        episodes=xp.where(ended, lanes.episodes + 1, lanes.episodes),
        episode=EpisodeStats(*counted),
    )
    no_bootstrap = step.terminal | (truncated & hyper.timeout_terminal)
    return lanes, step._replace(terminal=no_bootstrap), episode, ended


def pack_episode(episode: EpisodeStats, t, epsilon):
    """The record of an episode that ends on step `t`, float32 [L, columns].

    Counts are carried as bits, since float32 cannot hold a step beyond 2²⁴.
    """
    step, length = (tf.bitcast(x, tf.float32) for x in (t, episode.length))
    loss = episode.loss / tf.cast(episode.updates, tf.float32)  # 0/0: no update fell into it
    q = episode.q / tf.cast(episode.length, tf.float32)
    return tf.stack([step, episode.ret, length, epsilon, loss, q], -1)
