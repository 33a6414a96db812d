"""A block of lanes over Gymnasium environments stepped in Python, one per lane.

The same compiled acting and learning as in `compiled`, with the same interface. Every episode's
reset is seeded by (seed, episode) alone, so that an episode can be brought back by its actions.
"""

import gymnasium
import numpy as np
import tensorflow as tf

from dqn.algorithm import lane, network
from dqn.algorithm.block import (
    RECORDS,
    Chunk,
    Shape,
    begin,
    empty_lanes,
    learn,
    record,
)
from dqn.algorithm.lane import Episode, Hyper, Lanes
from dqn.algorithm.traced import Compiled, Kept
from dqn.config import EnvConfig
from dqn.envs import host
from dqn.record import RECORD

_TEST = 2**31  # test episodes are numbered from here, far from those of training


class HostedFunctions:
    """The compiled half of a hosted program: one instance a shape, shared by its blocks."""

    def __init__(self, shape: Shape, kept: Kept | None = None):
        def lanes_of(lanes, *_):
            return lanes

        self.shape = shape
        self.act = Compiled(self._act, f"act {shape}", lambda *_: (None, None), kept)
        self.ended = Compiled(self._ended, f"ended {shape}", kept=kept)
        self.indices = Compiled(self._indices, f"indices {shape}", kept=kept)
        self.learn = Compiled(self._learn, f"learn {shape}", lanes_of, kept)
        self.refill = Compiled(self._refill, f"refill {shape}", lanes_of, kept)
        self.greedy = Compiled(self._greedy, f"greedy {shape}", kept=kept)

    @property
    def compilations(self) -> int:
        """How many programs were made of its functions."""
        learning = (self.act, self.ended, self.indices, self.learn, self.refill)
        return sum(function.compilations for function in (*learning, self.greedy))

    def _act(self, weights, s, age, hyper):
        return lane.act(weights, s, age, hyper, self.shape.activation)

    def _ended(self, episode, age, hyper):
        return record(episode, age, lane.epsilon(age, hyper))

    def _indices(self, age, hyper):
        return lane.sample_indices(age, hyper, self.shape.batch_size)

    def _learn(self, lanes, rows, before, hyper):
        return learn(lanes, rows, before, hyper, self.shape)

    def _refill(self, lanes, mask, state, hyper):
        return begin(lanes, mask, state, hyper, self.shape)

    def _greedy(self, weights, s, **_):
        q = network.forward(weights, s, self.shape.activation)
        return tf.argmax(q, -1, output_type=tf.int32)


class HostedProgram:
    """The functions of one block, and the environments of its lanes."""

    def __init__(self, functions: HostedFunctions, env: EnvConfig):
        self.shape, self.env, self._functions = functions.shape, env, functions
        self._envs: dict[int, gymnasium.Env] = {}
        self.actions: list[list[int]] = [[] for _ in range(functions.shape.lanes)]
        """Those of each lane's episode under way."""

    @property
    def compilations(self) -> int:
        """How many programs were made of its functions."""
        return self._functions.compilations

    def empty(self) -> tuple[Lanes, np.ndarray]:
        """A block in which no lane has begun, and its replay memory [L, C, columns]."""
        L, C, D = self.shape.lanes, self.shape.capacity, self.shape.observation_size
        return empty_lanes(self.shape, tf.zeros([L, D])), np.zeros([L, C, self.shape.row], "f4")

    def refill(self, lanes: Lanes, mask, hyper: Hyper) -> Lanes:
        """Begin a new training in every lane of `mask` (bool [L])."""
        state = lanes.state.numpy().copy()
        for i in np.flatnonzero(mask).tolist():
            state[i] = self._start(i, int(hyper.seed[i]), 0)
        return self._functions.refill(lanes, mask, tf.constant(state), hyper)

    def test(self, weights, seed, limit, episodes: int) -> np.ndarray:
        """Returns [episodes] of greedy episodes of one network, of `limit` steps at most.

        They have starts of their own.
        """
        envs = [host.make(self.env) for _ in range(episodes)]
        starts = [
            env.reset(seed=_reset_seed(int(seed), _TEST + i))[0] for i, env in enumerate(envs)
        ]
        s = np.array(starts, np.float32)
        returns, on = np.zeros(episodes, np.float32), np.ones(episodes, bool)
        for _ in range(int(limit)):
            action = self._functions.greedy(weights, tf.constant(s), episodes=episodes).numpy()
            for i in np.flatnonzero(on).tolist():
                s[i], r, terminal, truncated, _ = envs[i].step(int(action[i]))
                returns[i] += r
                on[i] = not (terminal or truncated)
            if not on.any():
                break
        for env in envs:
            env.close()
        return returns

    def bring_back(self, i: int, seed: int, episode: int, actions: list[int]) -> None:
        """Step lane `i`'s environment to where `actions` left it in the given episode."""
        self._start(i, seed, episode)
        for action in actions:
            self._envs[i].step(action)
        self.actions[i] = list(actions)

    def close(self) -> None:
        """Close every environment."""
        for env in self._envs.values():
            env.close()
        self._envs.clear()

    def _start(self, i: int, seed: int, episode: int) -> np.ndarray:
        """The first observation [D] of an episode in lane `i`."""
        if i not in self._envs:
            self._envs[i] = host.make(self.env)
        self.actions[i] = []
        return self._envs[i].reset(seed=_reset_seed(seed, episode))[0]

    def chunk(self, lanes: Lanes, replay, hyper: Hyper, ticks, stride, until) -> Chunk:
        """Run until `ticks` are done, fewer than `until` lanes are alive, or a record is full."""
        L, functions, book = self.shape.lanes, self._functions, _Book(lanes, hyper)
        records = np.zeros([L, RECORDS + 1, len(RECORD)], "f4")
        recorded = np.zeros(L, np.int32)
        own, i, work = np.arange(L)[:, None], 0, 0
        while (
            i < ticks
            and (living := int(book.alive().sum())) >= until
            and recorded.max() + stride <= RECORDS
        ):
            i, work = i + 1, work + living
            before = book.age.copy()
            self._walk(lanes, book, replay, records, recorded, hyper, stride)
            lanes = book.into(lanes)
            if book.is_due(before).any():
                index = functions.indices(lanes.age, hyper).numpy()
                rows = tf.constant(replay[own, index])  # [L, B, columns]
                lanes = functions.learn(lanes, rows, tf.constant(before), hyper)
                book.after_learning(lanes)
        return Chunk(lanes, records, recorded, book.alive(), i, work)

    def _walk(self, lanes, book, replay, records, recorded, hyper, stride):
        """Up to `stride` environment steps in each lane, never beyond its next multiple of T."""
        owed = book.train_freq - book.age % book.train_freq
        for k in range(stride):
            on = np.flatnonzero(book.alive() & (k < owed))
            if not len(on):
                return
            action, q_sa = self._functions.act(
                lanes.learner.weights, tf.constant(book.state), tf.constant(book.age), hyper
            )
            a = action.numpy()[on]  # [N]: of the N lanes that are on
            s_next, r, terminal, truncated = self._step(on, a)
            cut = terminal | (truncated & book.timeout_terminal[on])
            scalars = np.stack([a, r, cut], -1, dtype=np.float32, casting="unsafe")
            position = book.age[on] % book.buffer_size[on]
            replay[on, position] = np.concatenate([book.state[on], s_next, scalars], -1)
            book.take_step(on, s_next, r, q_sa.numpy()[on])
            ended = on[terminal | truncated]
            if len(ended):
                rows = self._functions.ended(book.episode(), tf.constant(book.age), hyper).numpy()
                records[ended, recorded[ended]] = rows[ended]
                recorded[ended] += 1
                book.end_episodes(ended)
                for i in ended.tolist():
                    book.state[i] = self._start(i, int(book.seed[i]), int(book.episodes[i]))

    def _step(self, on, action) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Observations [N, D], rewards, terminal and truncated [N] of a step in N lanes."""
        done = []
        for i, a in zip(on.tolist(), action.tolist(), strict=True):
            done.append(self._envs[i].step(a)[:4])
            self.actions[i].append(a)
        s, r, terminal, truncated = zip(*done, strict=True)
        return np.array(s, "f4"), np.array(r, "f4"), np.array(terminal), np.array(truncated)


class _Book:
    """The parts of `Lanes` and `Hyper` that change with every step, as NumPy arrays [L]."""

    def __init__(self, lanes: Lanes, hyper: Hyper):
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
        """As `lane.alive`."""
        more = (self.episodes < self.budget_episodes) & (self.age < self.budget_steps)
        return more & ~self.diverged

    def is_due(self, before) -> np.ndarray:
        """Lanes that may have to learn or to sync after walking from `before`: no others need to.

        A T_train longer than a tick may leave the only sync due to a tick without an update.
        """
        learns = self.age % self.train_freq == 0
        syncs = (self.age - 1) // self.target_update > (before - 1) // self.target_update
        return (self.age > before) & (learns | syncs)

    def episode(self) -> Episode:
        """The episodes under way."""
        values = (self.ret, self.length, self.q, self.loss, self.updates)
        return Episode(*(tf.constant(x) for x in values))

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


def _reset_seed(seed: int, episode: int) -> int:
    """The seed of one episode's reset, spread over 32 bits."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0])
