"""What a block of lanes is, whoever steps its environments.

`compiled` steps them in TensorFlow, `hosted` in Python; both begin, learn and record with the
functions here.
"""

from typing import NamedTuple

import tensorflow as tf

from dqn.agents import dqn, losses
from dqn.agents.dqn import EpisodeStats, Hyper, Lanes, Learner, Tensor
from dqn.agents.networks import network_of
from dqn.agents.optimizers import OPTIMIZERS
from dqn.agents.replay import unpack
from dqn.envs.program_key import ProgramKey

RECORDS = 256  # episodes a lane can end in one chunk; a chunk returns before there are more


class Chunk(NamedTuple):
    """What a chunk of ticks leaves: the block, its records and how much of it was work."""

    lanes: Lanes
    records: Tensor  # [L, M + 1, columns]; the first `recorded` of each lane count
    recorded: Tensor  # int32 [L]
    alive: Tensor  # bool [L]
    ticks: Tensor  # int32 []
    work: Tensor  # int32 [], lane-ticks in which a lane was alive


def empty_lanes(key: ProgramKey, state) -> Lanes:
    """Lanes that have not begun, in `state` [L, S]."""
    L = key.lanes
    zeros = [tf.zeros([L, *w]) for w in network_of(key).shapes]
    count, real = tf.zeros([L], tf.int32), tf.zeros([L])
    return Lanes(
        learner=Learner(zeros, zeros, OPTIMIZERS[key.optimizer].init(zeros), count),
        state=state,
        age=count,
        episodes=count,
        episode=EpisodeStats(real, count, real, real, count),
        diverged=tf.zeros([L], tf.bool),
    )


def begin(lanes: Lanes, mask, state, hyper: Hyper, key: ProgramKey) -> Lanes:
    """Start a new training, in `state` [L, S], in every lane of `mask` (bool [L]).

    Its replay memory needs no clearing: what a lane may sample is bounded by its age.
    """
    weights = network_of(key).init(hyper.seed)
    fresh = empty_lanes(key, state)
    fresh = fresh._replace(learner=fresh.learner._replace(weights=weights, target=weights))

    def choose(new, old):
        return tf.where(losses.expand_like(mask, new), new, old)

    return tf.nest.map_structure(choose, fresh, lanes)


def learn(lanes: Lanes, rows, before, hyper: Hyper, key: ProgramKey) -> Lanes:
    """Sync and learn from replay rows [L, B, columns] in the lanes that are due an update.

    `before` int32 [L] is the age of each lane at its last chance to learn.
    """
    due = dqn.learning_due(lanes.age, before, hyper, key.batch_size) & ~lanes.diverged
    learner = dqn.sync(lanes.learner, lanes.age, before, hyper)
    batch = unpack(rows, key.observation_size)
    network, optimizer = network_of(key), OPTIMIZERS[key.optimizer]
    learner, loss, broken = dqn.learn(learner, batch, due, hyper, network, optimizer)
    running, counted = lanes.episode, due & ~broken
    return lanes._replace(
        learner=learner,
        episode=running._replace(
            loss=running.loss + tf.where(counted, loss, 0.0),
            updates=running.updates + tf.cast(counted, tf.int32),
        ),
        diverged=lanes.diverged | broken,
    )


def pack_episode(episode: EpisodeStats, age, epsilon):
    """The record of an episode that ends on step `age`, float32 [L, columns].

    Counts are carried as bits, since float32 cannot hold a step beyond 2²⁴.
    """
    step, length = (tf.bitcast(x, tf.float32) for x in (age, episode.length))
    loss = episode.loss / tf.cast(episode.updates, tf.float32)  # 0/0: no update fell into it
    q = episode.q / tf.cast(episode.length, tf.float32)
    return tf.stack([step, episode.ret, length, epsilon, loss, q], -1)
