"""DQN as the exercise tells it: one training in NumPy, one step after the other.

What lanes are held against. It draws the same random words and acts in Gymnasium's own environment;
everything else is written down a second time here, in float64 and without a lane axis.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from dqn.agents import random
from dqn.agents.networks.mlp import MLP
from dqn.agents.random import Stream
from dqn.config import Config
from dqn.envs import gymnasium_env

HORIZON = 500  # steps and episodes that random words are drawn for


@dataclass
class Update:
    """One gradient step: the environment step it followed and all that it left."""

    step: int
    loss: float
    weights: list[np.ndarray]
    target: list[np.ndarray]
    """As the update used it."""


@dataclass
class Training:
    """A whole training, in the order in which things happened."""

    steps: int = 0
    transitions: list[tuple] = field(default_factory=list)
    """s, action, reward, s' and whether it is without a future; one a step."""
    updates: list[Update] = field(default_factory=list)
    episodes: list[dict] = field(default_factory=list)
    """Finished ones, by the columns of an episode's record."""
    weights: list[np.ndarray] = field(default_factory=list)
    """At last."""


def drawn_starts(env, seed: int, purpose=Stream.START) -> Callable[[int], np.ndarray]:
    """Starts of CartPole from the seed's own stream, as compiled lanes draw them."""
    words = _words(seed, purpose, HORIZON, 4)

    def start(episode: int) -> np.ndarray:
        env.reset()
        env.unwrapped.state = np.array([-0.05 + 0.1 * _unit(word) for word in words[episode]])
        return env.unwrapped.state.astype(np.float32)

    return start


def seeded_starts(env, seed: int) -> Callable[[int], np.ndarray]:
    """Gymnasium's own starts, seeded by (seed, episode), as hosted lanes ask for them."""

    def start(episode: int) -> np.ndarray:
        word = np.random.SeedSequence([seed, episode]).generate_state(1)[0]
        return env.reset(seed=int(word) & 0x7FFFFFFF)[0]

    return start


@functools.cache
def train(config: Config, seed: int, starts: Callable = drawn_starts) -> Training:
    """Act → step → store → learn → sync until the budget is spent; `hidden` is one ReLU layer."""
    env, training = gymnasium_env.make(config.env), Training()
    start = starts(env, seed)
    explore = _words(seed, Stream.EXPLORATION, HORIZON, 2)
    minibatch = _words(seed, Stream.MINIBATCH, HORIZON, config.batch_size)
    weights = initial_weights(config, seed)
    target = [w.copy() for w in weights]
    adam = Adam(config.lr, weights)
    memory: dict[int, tuple] = {}
    ret, qs, losses = 0.0, [], []
    s = start(0)
    while _has_budget(config, training):
        q = forward(weights, s[None])[0][0]
        exploring = _unit(explore[training.steps, 0]) < epsilon(config, training.steps)
        a = _below(explore[training.steps, 1], len(q)) if exploring else int(q.argmax())
        s_next, r, terminal, truncated, _ = env.step(a)
        no_future = terminal or (truncated and config.timeout_terminal)
        training.transitions.append((s, a, float(r), s_next, no_future))
        memory[training.steps % config.buffer_size] = training.transitions[-1]
        training.steps += 1
        ret, s = ret + float(r), s_next
        qs.append(q[a])
        if terminal or truncated:
            training.episodes.append(
                {
                    "step": training.steps,
                    "returns": ret,
                    "lengths": len(qs),
                    "epsilon": epsilon(config, training.steps),
                    "loss": np.mean(losses) if losses else np.nan,
                    "q": np.mean(qs),
                }
            )
            ret, qs, losses = 0.0, [], []
            s = start(len(training.episodes))
        enough = max(config.learning_starts, 2 * config.batch_size)
        if training.steps % config.train_freq == 0 and training.steps >= enough:
            rows = [memory[_below(word, len(memory))] for word in minibatch[training.steps]]
            loss, gradients = td_error(config, weights, target, rows)
            used = [w.copy() for w in target]
            weights = adam.step(weights, gradients)
            losses.append(loss)
            training.updates.append(Update(training.steps, loss, weights, used))
        if training.steps % config.target_update == 0:
            pairs = zip(weights, target, strict=True)
            target = [config.tau * w + (1 - config.tau) * t for w, t in pairs]
    training.weights = weights
    env.close()
    return training


def greedy_return(env, weights, s) -> float:
    """The return of one episode from a start s [D] in which every action is the greedy one."""
    ret, ended = 0.0, False
    while not ended:
        s, r, terminal, truncated, _ = env.step(int(forward(weights, s[None])[0][0].argmax()))
        ret, ended = ret + float(r), terminal or truncated
    return ret


def initial_weights(config: Config, seed: int) -> list[np.ndarray]:
    """The seed's own weights for CartPole."""
    drawn = MLP(4, config.hidden, config.activation, 2).init(tf.constant([seed]))
    return [w[0].numpy().astype(float) for w in drawn]


def epsilon(config: Config, n: int) -> float:
    """ε after n actions."""
    if config.epsilon_schedule == "linear":
        done = min(n / config.exploration_steps, 1.0)
        return config.epsilon_start + done * (config.epsilon_min - config.epsilon_start)
    return max(config.epsilon_min, config.epsilon_start * (1 - config.epsilon_decay) ** n)


def forward(weights, x) -> tuple[np.ndarray, np.ndarray]:
    """Q-values [B, A] and hidden activations [B, H] of observations x [B, D]."""
    W0, b0, W1, b1 = weights
    h = np.maximum(np.asarray(x, float) @ W0 + b0, 0.0)
    return h @ W1 + b1, h


def td_error(config: Config, weights, target, rows) -> tuple[float, list[np.ndarray]]:
    """The mean loss of a minibatch and its gradient, clipped, by hand."""
    s, a, r, s_next, no_future = (np.array(column) for column in zip(*rows, strict=True))
    each = np.arange(len(rows))
    q_next, _ = forward(target, s_next)
    chooser = forward(weights, s_next)[0] if config.double else q_next
    future = np.where(no_future, 0.0, q_next[each, chooser.argmax(1)])
    q, h = forward(weights, s)
    delta = q[each, a] - (config.reward_scale * r + config.gamma * future)
    kappa = config.huber_delta
    inside = np.abs(delta) <= kappa
    linear = 0.0 if np.isinf(kappa) else kappa * (2 * np.abs(delta) - kappa)
    d_q = np.zeros_like(q)
    d_q[each, a] = np.clip(2 * delta, -2 * kappa, 2 * kappa) / len(rows)
    d_h = (d_q @ weights[2].T) * (h > 0)
    gradients = [np.asarray(s, float).T @ d_h, d_h.sum(0), h.T @ d_q, d_q.sum(0)]
    norm = np.sqrt(sum((g**2).sum() for g in gradients))
    factor = min(1.0, config.grad_clip / norm) if norm else 1.0
    return float(np.where(inside, delta**2, linear).mean()), [factor * g for g in gradients]


class Adam:
    """Kingma & Ba 2015, with ε̂ = 1e-7 beside the uncorrected √v, as Keras has it."""

    def __init__(self, lr: float, weights):
        self.lr, self.t = lr, 0
        self.m, self.v = ([np.zeros_like(w) for w in weights] for _ in range(2))

    def step(self, weights, gradients) -> list[np.ndarray]:
        self.t += 1
        self.m = [0.9 * m + 0.1 * g for m, g in zip(self.m, gradients, strict=True)]
        self.v = [0.999 * v + 0.001 * g**2 for v, g in zip(self.v, gradients, strict=True)]
        rate = self.lr * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        moments = zip(weights, self.m, self.v, strict=True)
        return [w - rate * m / (np.sqrt(v) + 1e-7) for w, m, v in moments]


def _has_budget(config: Config, training: Training) -> bool:
    episodes_left = not config.episodes or len(training.episodes) < config.episodes
    return episodes_left and (not config.steps or training.steps < config.steps)


def _words(seed: int, purpose: Stream, steps: int, n: int) -> np.ndarray:
    return random.random_bits(tf.fill([steps], seed), purpose, tf.range(steps), n).numpy()


def _unit(word) -> float:
    return (int(word) >> 8) / 2**24


def _below(word, bound: int) -> int:
    return (int(word) * int(bound)) >> 32
