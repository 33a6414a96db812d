"""A block of lanes over Gymnasium environments stepped in Python, one per lane.

With the interface of `compiled_loop`. Every reset is seeded by (seed, episode) alone.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from dqn.agents import block, dqn
from dqn.agents.block import RECORDS, Chunk
from dqn.agents.dqn import EpisodeStats, Hyper, Lanes
from dqn.agents.networks import network_of
from dqn.agents.replay import Transition, pack, sample_indices, width
from dqn.config import EnvConfig
from dqn.envs.adapter import SEED_MASK
from dqn.envs.exclusive import Environments
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import EnvError
from dqn.runtime.traced import Compiled, Kept, Results
from dqn.statistics.episode_columns import EPISODE_COLUMNS

_TEST = 2**31  # test episodes are numbered from here, far from those of training


class SteppedFunctions(block.CompiledFunctions):
    """The compiled half of a stepped program, shared by those that step other environments."""

    def __init__(self, key: ProgramKey, kept: Kept | None = None):
        self.key, network = key, network_of(key)

        def compiled(name: str, function: Callable, results: Results = lambda *_: None) -> Compiled:
            return Compiled(function, f"{name} {key}", results, kept)

        def act(weights, s, t, hyper):
            return dqn.act(weights, s, t, hyper, network)

        def ended(episode, t, hyper):
            return block.pack_episode(episode, t, dqn.epsilon(t, hyper))

        def greedy(weights, s, **_):
            return tf.argmax(network.apply(weights, s), -1, output_type=tf.int32)

        self.act = compiled("act", act, lambda *_: (None, None))
        self.ended = compiled("ended", ended)
        self.indices = compiled("indices", lambda t, h: sample_indices(t, h, key.batch_size))
        self.learn = compiled("learn", partial(dqn.learn, key=key), lambda lanes, *_: lanes)
        self.refill = compiled("refill", partial(block.begin, key=key), lambda lanes, *_: lanes)
        self.greedy = compiled("greedy", greedy)


class SteppedProgram:
    """The functions of one block, and the environments of its lanes."""

    def __init__(self, functions: SteppedFunctions, env: EnvConfig):
        self.key, self._functions = functions.key, functions
        self._envs = Environments(env)
        self.broken: dict[int, str] = {}
        """Why a lane's environment can be stepped no more, until a training begins there."""
        self.not_finite: dict[int, str] = {}
        """What a lane's environment gave first that is infinite or no number, and when."""

    @property
    def compilations(self) -> int:
        """How many programs were made of its functions."""
        return self._functions.compilations

    def empty(self) -> tuple[Lanes, np.ndarray]:
        """A block in which no lane has begun, and its replay memory [L, C, columns]."""
        L, C, D = self.key.lanes, self.key.capacity, self.key.observation_size
        return block.empty_lanes(self.key, tf.zeros([L, D])), np.zeros([L, C, width(D)], "f4")

    def can_begin(self, i: int, seed: int, elsewhere: bool) -> bool:
        """Whether lane `i` has an environment to begin training `seed` in: see `Environments`."""
        return self._envs.try_for(i, _reset_seed(seed, 0), elsewhere)

    def refill(self, lanes: Lanes, mask, hyper: Hyper) -> Lanes:
        """Begin a new training in every lane of `mask` (bool [L])."""
        state = lanes.state.numpy().copy()
        for i in np.flatnonzero(mask).tolist():
            self.broken.pop(i, None)
            self.not_finite.pop(i, None)
            state[i] = self._start(i, int(hyper.seed[i]), 0, 0)
        return self._functions.refill(lanes, mask, tf.constant(state), hyper)

    def test(self, i: int, weights, seed, limit, episodes: int) -> np.ndarray:
        """Returns [episodes] of greedy episodes of one network, of `limit` steps at most.

        They have starts of their own. They are played in lane `i`'s environment, and where several
        exist anyway, beside it in further ones. Raises `EnvError`.
        """
        seed, limit = int(seed), int(limit)
        s = np.zeros([episodes, self.key.observation_size], "f4")
        returns, steps = np.zeros(episodes, np.float32), [0] * episodes
        made = self._envs.made
        envs = {i: self._envs.of(i)}
        if any(j >= 0 and j != i for j in made):
            more = min(episodes - 1, self.key.lanes)
            envs |= {j: made[j] for j in self._envs.further(more, _reset_seed(seed, _TEST))}
        for env in envs.values():
            env.not_finite = None
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

    def _start(self, i: int, seed: int, episode: int, t: int) -> np.ndarray:
        """The first observation [D] of an episode in lane `i`; zeros where the lane is broken."""
        try:
            env, s = self._envs.of(i), self._envs.begun.pop(i, None)
            if s is None:
                if not t:
                    env.not_finite = None
                s = env.reset(_reset_seed(seed, episode))
        except EnvError as error:
            self._break(i, error.at(seed, t))
            return np.zeros(self.key.observation_size, "f4")
        self._note(i, seed, t)
        return s

    def _note(self, i: int, seed: int, t: int) -> None:
        error = self._envs.made[i].not_finite
        if error is not None and i not in self.not_finite:
            self.not_finite[i] = str(error.at(seed, t))

    def _break(self, i: int, error: EnvError) -> None:
        self.broken[i] = str(error)
        self._envs.let_go(i)

    def chunk(
        self, lanes: Lanes, replay, hyper: Hyper, ticks, max_steps_per_tick, min_active
    ) -> Chunk:
        """As `compiled_loop`: until `ticks` are done, too few are alive, or a record is full."""
        L, functions, numbers = self.key.lanes, self._functions, Hyper(*(x.numpy() for x in hyper))
        host = _converted(lanes, lambda x: x.numpy())
        records = np.zeros([L, RECORDS + 1, len(EPISODE_COLUMNS)], "f4")
        recorded = np.zeros(L, np.int32)
        own, i, work = np.arange(L)[:, None], 0, 0
        while (
            i < ticks
            and (living := int(self._alive(host, numbers).sum())) >= min_active
            and recorded.max() + max_steps_per_tick <= RECORDS
        ):
            i, work, before = i + 1, work + living, host.t
            steps_until_update = numbers.train_freq - before % numbers.train_freq  # [L]
            for k in range(max_steps_per_tick):
                active = self._alive(host, numbers) & (k < steps_until_update)
                if not active.any():
                    break
                host = self._step(host, active, replay, records, recorded, hyper, numbers)
            lanes = _converted(host, tf.constant)
            if _may_be_due(host.t, before, numbers).any():
                index = functions.indices(lanes.t, hyper).numpy()
                rows = tf.constant(replay[own, index])  # [L, B, columns]
                lanes = functions.learn(lanes, rows, tf.constant(before), hyper)
                host = _converted(lanes, lambda x: x.numpy())
        return Chunk(lanes, records, recorded, self._alive(host, numbers), i, work)

    def _alive(self, host: Lanes, numbers: Hyper) -> np.ndarray:
        """As `dqn.alive`, but for lanes whose environment is broken."""
        alive = dqn.alive(host, numbers)
        alive[list(self.broken)] = False
        return alive

    def _step(self, host: Lanes, active, replay, records, recorded, hyper, numbers: Hyper) -> Lanes:
        """One environment step, act → step → store, in the lanes of `active` that can take it."""
        s, t = tf.constant(host.state), tf.constant(host.t)
        given = self._functions.act(host.learner.weights, s, t, hyper)
        action, q_sa = (x.numpy() for x in given)
        paid, s_next = np.zeros(len(active)), np.zeros_like(host.state)
        terminal, truncated = np.zeros_like(active), np.zeros_like(active)
        actions, made = action.tolist(), self._envs.made
        for i in np.flatnonzero(active).tolist():
            try:
                s_next[i], paid[i], terminal[i], truncated[i] = made[i].step(actions[i])
            except EnvError as error:
                self._break(i, error.at(int(numbers.seed[i]), int(host.t[i]) + 1))
                active[i] = False
                continue
            if made[i].not_finite is not None:
                self._note(i, int(numbers.seed[i]), int(host.t[i]) + 1)
        if not active.any():
            return host
        with np.errstate(over="ignore", invalid="ignore"):  # as in XLA; beyond float32: infinite
            step = Transition(host.state, action, paid.astype(np.float32), s_next, terminal)
            after, transition, episode, ended = block.after_step(
                host, step, q_sa, truncated, active, numbers, np
            )
        at = np.flatnonzero(active)
        replay[at, (host.t % numbers.buffer_size)[at]] = pack(transition, np)[at]
        state = np.where(active[:, None], s_next, host.state)
        if ended.any():
            sums = EpisodeStats(*map(tf.constant, episode))
            rows = self._functions.ended(sums, tf.constant(after.t), hyper).numpy()
            records[ended, recorded[ended]] = rows[ended]
            recorded[ended] += 1
            for i in np.flatnonzero(ended & self._alive(after, numbers)).tolist():
                begins = (int(x[i]) for x in (numbers.seed, after.episodes, after.t))
                state[i] = self._start(i, *begins)
        return after._replace(state=state)


def _converted(lanes: Lanes, convert: Callable) -> Lanes:
    """What changes with every step as NumPy arrays, or tensors; the learner stays as it is."""
    episode = EpisodeStats(*map(convert, lanes.episode))
    state, t, episodes = convert(lanes.state), convert(lanes.t), convert(lanes.episodes)
    return Lanes(lanes.learner, state, t, episodes, episode, convert(lanes.diverged))


def _may_be_due(t, before, numbers: Hyper) -> np.ndarray:
    """Lanes that may have to learn or to sync after steps from `before` to `t`: no others need to.

    A T_train longer than a tick may leave the only sync due to a tick without an update.
    """
    learns = t % numbers.train_freq == 0
    syncs = (t - 1) // numbers.target_update > (before - 1) // numbers.target_update
    return (t > before) & (learns | syncs)


def _reset_seed(seed: int, episode: int) -> int:
    """The seed of one episode's reset, spread over 31 bits: more would be too many for some."""
    return int(np.random.SeedSequence([seed, episode]).generate_state(1)[0]) & SEED_MASK
