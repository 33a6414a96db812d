"""A block of lanes over Gymnasium environments stepped in Python, one per lane.

The same compiled acting and learning as in `compiled`, with the same interface. Every episode's
reset is seeded by (seed, episode) alone.
"""

from collections import deque
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from dqn.agents import dqn
from dqn.agents.block import RECORDS, Chunk, begin, empty_lanes, learn, pack_episode
from dqn.agents.dqn import Hyper, Lanes
from dqn.agents.host_state import HostState
from dqn.agents.networks import network_of
from dqn.agents.replay import sample_indices, width
from dqn.config import EnvConfig
from dqn.envs.adapter import SEED_MASK
from dqn.envs.program_key import ProgramKey
from dqn.envs.several import Environments
from dqn.runtime.errors import EnvError
from dqn.runtime.traced import Compiled, Kept
from dqn.statistics.episode_columns import EPISODE_COLUMNS

_TEST = 2**31  # test episodes are numbered from here, far from those of training


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

    def _act(self, weights, s, age, hyper):
        return dqn.act(weights, s, age, hyper, self._network)

    def _ended(self, episode, age, hyper):
        return pack_episode(episode, age, dqn.epsilon(age, hyper))

    def _indices(self, age, hyper):
        return sample_indices(age, hyper, self.key.batch_size)

    def _learn(self, lanes, rows, before, hyper):
        return learn(lanes, rows, before, hyper, self.key)

    def _refill(self, lanes, mask, state, hyper):
        return begin(lanes, mask, state, hyper, self.key)

    def _greedy(self, weights, s, **_):
        return tf.argmax(self._network.apply(weights, s), -1, output_type=tf.int32)


class SteppedProgram:
    """The functions of one block, and the environments of its lanes."""

    def __init__(self, functions: SteppedFunctions, env: EnvConfig):
        self.key, self.env, self._functions = functions.key, env, functions
        self._envs = Environments(env)
        self.broken: dict[int, str] = {}
        """Why the environment of a lane cannot go on, by lane, until a training begins there."""
        self.not_finite: dict[int, str] = {}
        """What a lane's environment gave first that is infinite or no number, and when."""

    @property
    def compilations(self) -> int:
        """How many programs were made of its functions."""
        return self._functions.compilations

    def empty(self) -> tuple[Lanes, np.ndarray]:
        """A block in which no lane has begun, and its replay memory [L, C, columns]."""
        L, C, D = self.key.lanes, self.key.capacity, self.key.observation_size
        return empty_lanes(self.key, tf.zeros([L, D])), np.zeros([L, C, width(D)], "f4")

    def can_begin(self, i: int, seed: int, elsewhere: bool) -> bool:
        """Whether lane `i` can begin with training `seed`.

        Not yet where other lanes, or other blocks (`elsewhere`), have all environments there can
        be.
        """
        return self._envs.try_for(i, _reset_seed(seed, 0), elsewhere)

    def refill(self, lanes: Lanes, mask, hyper: Hyper) -> Lanes:
        """Begin a new training in every lane of `mask` (bool [L])."""
        state = lanes.state.numpy().copy()
        for i in np.flatnonzero(mask).tolist():
            self.broken.pop(i, None)
            self.not_finite.pop(i, None)
            state[i] = self._start(i, int(hyper.seed[i]), 0, 0)
        return self._functions.refill(lanes, mask, tf.constant(state), hyper)

    def test(
        self, i: int, weights, seed, limit, episodes: int, free: Iterable[int] = ()
    ) -> np.ndarray:
        """Returns [episodes] of greedy episodes of one network, of `limit` steps at most.

        They have starts of their own. They are played in lane `i`'s environment, and beside it in
        those that `free` lanes have; where several exist anyway, in further ones too. Raises
        `EnvError`.
        """
        seed, limit = int(seed), int(limit)
        s = np.zeros([episodes, self.key.observation_size], "f4")
        returns, steps = np.zeros(episodes, np.float32), [0] * episodes
        made = self._envs.made
        envs = {i: self._envs.of(i)} | {j: made[j] for j in free if j in made}
        if any(j >= 0 and j != i for j in made):
            more = min(episodes - len(envs), self.key.lanes)
            envs |= {j: made[j] for j in self._envs.further(more, _reset_seed(seed, _TEST))}
        for env in envs.values():
            env.forget()
        waiting = deque(range(episodes))
        played: dict[int, int] = {}  # the episode in each lane's environment
        j = e = 0
        try:
            while waiting or played:
                for j in envs:
                    if j not in played and waiting:
                        played[j] = e = waiting.popleft()
                        s[e] = envs[j].reset(_reset_seed(seed, _TEST + e))
                        envs[j].refuse_not_finite()
                # All rows, also of episodes that are over or not begun: the shape of a batch
                # decides the last bits of each.
                a = self._functions.greedy(weights, tf.constant(s), episodes=episodes).numpy()
                for j, e in list(played.items()):
                    steps[e] += 1
                    s[e], r, terminal, truncated = envs[j].step(int(a[e]))
                    envs[j].refuse_not_finite()
                    returns[e] += r
                    if terminal or truncated or steps[e] >= limit:
                        del played[j]
        except EnvError as error:
            self._envs.let_go(j)
            raise error.at(seed, steps[e], f"test episode {e + 1}") from error
        finally:
            self._envs.give_back()
        return returns

    def close(self) -> None:
        """Close every environment."""
        for i in list(self._envs.made):
            self._envs.let_go(i)

    def _start(self, i: int, seed: int, episode: int, age: int) -> np.ndarray:
        """The first observation [D] of an episode in lane `i`; zeros where the lane is broken."""
        try:
            env, s = self._envs.of(i), self._envs.begun.pop(i, None)
            if s is None:
                if not age:
                    env.forget()
                s = env.reset(_reset_seed(seed, episode))
        except EnvError as error:
            self._break(i, error.at(seed, age))
            return np.zeros(self.key.observation_size, "f4")
        self._note(i, seed, age)
        return s

    def _note(self, i: int, seed: int, age: int) -> None:
        error = self._envs.made[i].not_finite
        if error is not None and i not in self.not_finite:
            self.not_finite[i] = str(error.at(seed, age))

    def _break(self, i: int, error: EnvError) -> None:
        self.broken[i] = str(error)
        self._envs.let_go(i)

    def chunk(self, lanes: Lanes, replay, hyper: Hyper, ticks, stride, until) -> Chunk:
        """Run until `ticks` are done, fewer than `until` lanes are alive, or a record is full."""
        L, functions = self.key.lanes, self._functions
        book = HostState(lanes, hyper, self.broken)
        records = np.zeros([L, RECORDS + 1, len(EPISODE_COLUMNS)], "f4")
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
            done = self._step(on.tolist(), action.numpy(), book)
            if not done:
                continue
            on, a, s_next, r, terminal, truncated = map(np.array, zip(*done, strict=True))  # [N]
            r = r.astype("f4")
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
                for i in ended[book.alive()[ended]].tolist():
                    seed, episode, age = (int(x[i]) for x in (book.seed, book.episodes, book.age))
                    book.state[i] = self._start(i, seed, episode, age)

    def _step(self, on, action, book) -> list[tuple]:
        """What a step gave, by lane: its number, action, observation, reward, the two flags.

        Lanes whose environment could not be stepped are left out, and `worker_error` from now on.
        """
        done = []
        for i in on:
            a, seed, age = int(action[i]), int(book.seed[i]), int(book.age[i]) + 1
            try:
                done.append((i, a, *self._envs.made[i].step(a)))
            except EnvError as error:
                self._break(i, error.at(seed, age))
                continue
            self._note(i, seed, age)
        return done


def _reset_seed(seed: int, episode: int) -> int:
    """The seed of one episode's reset, spread over 31 bits: more would be too many for some."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0]) & SEED_MASK
