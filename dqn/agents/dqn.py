"""The whole algorithm, for a block of lanes at once: act → step → store → learn → sync.

A lane is one training run of one (trial, seed). Axes: L lanes, B minibatch, A actions, D
observation, S environment state, C replay capacity. Every hyperparameter is a vector [L]; a lane
reads nothing of its neighbours, and a masked lane (ended, diverged, empty) changes nothing.
Source: Mnih et al. 2015, Algorithm 1, in the order the exercise gives its steps.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from dqn.agents import exploration, losses, random
from dqn.agents.networks import Network, network_of
from dqn.agents.optimizers import Optimizer, optimizer_of
from dqn.agents.replay import Transition, unpack
from dqn.envs.program_key import ProgramKey

Tensor = Any  # the type stubs of TensorFlow lack operators that its tensors have


class Hyper(NamedTuple):
    """What may differ between lanes, [L] each; symbols, units and ranges are in `dqn.config`."""

    seed: Tensor
    lr: Tensor
    gamma: Tensor
    epsilon_start: Tensor
    epsilon_min: Tensor
    epsilon_decay: Tensor
    epsilon_linear: Tensor
    exploration_steps: Tensor
    reward_scale: Tensor
    train_freq: Tensor
    target_update: Tensor
    tau: Tensor
    buffer_size: Tensor
    learning_starts: Tensor
    double: Tensor
    huber_delta: Tensor
    grad_clip: Tensor
    timeout_terminal: Tensor
    time_limit: Tensor
    episodes: Tensor
    steps: Tensor


class Learner(NamedTuple):
    """Networks, each a flat list of weights [L, ...], and what the optimizer keeps."""

    weights: list
    target: list
    slots: tuple[list, ...]
    updates: Tensor  # int32 [L]


class EpisodeStats(NamedTuple):
    """Sums over the episode under way, [L] each: float32, or int32 for the two counts."""

    ret: Tensor
    length: Tensor
    q: Tensor
    loss: Tensor
    updates: Tensor


class Lanes(NamedTuple):
    """All that a block of lanes is, but for its replay memory."""

    learner: Learner
    state: Tensor  # [L, S]
    t: Tensor  # int32 [L], environment steps
    episodes: Tensor  # int32 [L], finished ones
    episode: EpisodeStats
    diverged: Tensor  # bool [L]


def alive(lanes: Lanes, hyper: Hyper):
    """Lanes that have budget left and have not diverged, bool [L]."""
    return (lanes.episodes < hyper.episodes) & (lanes.t < hyper.steps) & ~lanes.diverged


def select(mask, new, old):
    """`new` in the lanes of `mask` (bool [L]) and `old` in others: tensors, nested alike."""
    return tf.nest.map_structure(lambda x, y: tf.where(losses.expand_like(mask, x), x, y), new, old)


def epsilon(t, hyper: Hyper):
    """Probability of a random action after `t` actions, [L]."""
    start, minimum = hyper.epsilon_start, hyper.epsilon_min
    exponential = exploration.exponential(t, start, minimum, hyper.epsilon_decay)
    linear = exploration.linear(t, start, minimum, hyper.exploration_steps)
    return tf.where(hyper.epsilon_linear, linear, exponential)


def act(weights, s, t, hyper: Hyper, network: Network):
    """ε-greedy actions int32 [L] for observations s [L, D], and the Q-value of each, [L]."""
    q = network.apply(weights, s[:, None])[:, 0]  # [L, A]
    word = random.random_bits(hyper.seed, random.Stream.EXPLORATION, t, 2)  # [L, 2]
    explore = random.to_uniform(word[:, 0]) < epsilon(t, hyper)
    uniform = random.to_integer(word[:, 1], q.shape[-1])
    action = tf.where(explore, uniform, tf.argmax(q, -1, output_type=tf.int32))
    return action, losses.chosen_value(q, action)


def learning_due(t, started, hyper: Hyper, batch_size: int):
    """Lanes whose steps from `started` to `t` ended on a multiple of T_train, bool [L]."""
    enough = t >= tf.maximum(hyper.learning_starts, 2 * batch_size)
    return (t > started) & (t % hyper.train_freq == 0) & enough


def sync(learner: Learner, t, started, hyper: Hyper) -> Learner:
    """Move the target networks as of all multiples of T_target in [started, t).

    Nothing reads a target between two updates, so a copy that was due after the last update may
    wait until right before this one: the result is the same as copying on the very step.
    """
    times = (t - 1) // hyper.target_update - (started - 1) // hyper.target_update
    keep = tf.pow(1.0 - hyper.tau, tf.cast(times, tf.float32))  # [L]; 0⁰ = 1

    def blend(_, target):
        pairs = zip(learner.weights, target, strict=True)
        return False, [
            losses.expand_like(1.0 - keep, new) * new + losses.expand_like(keep, old) * old
            for new, old in pairs
        ]

    # A loop of at most one round, as XLA copies a conditional's operands and not a loop's.
    _, target = tf.while_loop(
        lambda due, target: due, blend, (tf.reduce_any(times > 0), learner.target)
    )
    return learner._replace(target=target)


def learn(lanes: Lanes, rows, before, hyper: Hyper, key: ProgramKey) -> Lanes:
    """Sync and learn from replay rows [L, B, columns] in the lanes that are due an update.

    `before` int32 [L] is the `t` of each lane at its last chance to learn.
    """
    due = learning_due(lanes.t, before, hyper, key.batch_size) & ~lanes.diverged
    learner = sync(lanes.learner, lanes.t, before, hyper)
    batch = unpack(rows, key.observation_size)
    network, optimizer = network_of(key), optimizer_of(key)
    learner, loss, broken = update(learner, batch, due, hyper, network, optimizer)
    running, counted = lanes.episode, due & ~broken
    return lanes._replace(
        learner=learner,
        episode=running._replace(
            loss=running.loss + tf.where(counted, loss, 0.0),
            updates=running.updates + tf.cast(counted, tf.int32),
        ),
        diverged=lanes.diverged | broken,
    )


def update(
    learner: Learner, batch: Transition, due, hyper: Hyper, network: Network, optimizer: Optimizer
):
    """One step of the optimizer on the mean TD loss in every lane that is `due` (bool [L]).

    Returns the learner, the loss [L], and which lanes were due and found it or its gradient not
    finite, bool [L]: those keep their last finite weights.
    """
    weights = learner.weights
    q_next = network.apply(learner.target, batch.s_next)  # [L, B, A]
    greedy = losses.greedy_value(q_next)  # [L, B]

    def double():
        value = losses.double_value(q_next, network.apply(weights, batch.s_next))
        return tf.where(hyper.double[:, None], value, greedy)

    value_next = tf.cond(tf.reduce_any(hyper.double), double, lambda: greedy)
    y = losses.target(
        batch.r, batch.terminal, value_next, hyper.gamma[:, None], hyper.reward_scale[:, None]
    )  # [L, B]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(weights)
        q_sa = losses.chosen_value(network.apply(weights, batch.s), batch.action)
        loss = tf.reduce_mean(losses.loss(y - q_sa, hyper.huber_delta[:, None]), -1)  # [L]
    gradients = tape.gradient(loss, weights)
    norm = losses.global_norm(gradients, leading=1)  # [L]
    gradients = losses.clip_by_global_norm(gradients, norm, hyper.grad_clip)

    finite = tf.math.is_finite(loss) & tf.math.is_finite(norm)
    applied = due & finite
    updates = learner.updates + tf.cast(applied, tf.int32)
    number = tf.cast(tf.maximum(updates, 1), tf.float32)
    # What is kept is chosen first, or XLA computes it twice: for the slots, and for the weights.
    slots = select(applied, optimizer.accumulate(gradients, learner.slots), learner.slots)
    stepped = optimizer.step(weights, gradients, slots, hyper, number)
    weights = select(applied, stepped, weights)
    return Learner(weights, learner.target, slots, updates), loss, due & ~finite
