"""A block of lanes over compiled dynamics: acting, stepping and learning in one XLA program.

Replay memories and episode records are flat arrays, [L·(C+1), columns] and [L·(M+1), columns]: a
write to one row is then done in place. The last row of each lane takes the writes of masked lanes.
The replay memory is a variable, changed where it is: a tensor would be copied with every chunk.
"""

import numpy as np
import tensorflow as tf

from dqn.agents import block, dqn, random
from dqn.agents.block import RECORDS, Chunk
from dqn.agents.dqn import Hyper, Lanes
from dqn.agents.networks import network_of
from dqn.agents.replay import Transition, pack, sample_indices, width
from dqn.envs import Dynamics
from dqn.envs.program_key import ProgramKey
from dqn.runtime.traced import Compiled, Kept
from dqn.statistics.episode_columns import EPISODE_COLUMNS


class Program(block.CompiledFunctions):
    """The compiled functions of one key, over the environment's dynamics."""

    def __init__(self, key: ProgramKey, dynamics: Dynamics, kept: Kept | None = None):
        self.key, self.dynamics, self._network = key, dynamics, network_of(key)
        self.chunk = Compiled(self._chunk, f"chunk {key}", lambda lanes, *_: Chunk(lanes), kept)
        self.refill = Compiled(self._refill, f"refill {key}", lambda lanes, *_: lanes, kept)
        self.test = Compiled(self._test, f"test {key}", kept=kept)

    def empty(self) -> tuple[Lanes, tf.Variable]:
        """A block in which no lane has begun, and its replay memory."""
        L, C, D = self.key.lanes, self.key.capacity, self.key.observation_size
        state = self.dynamics.reset(tf.zeros([L, self.dynamics.num_random]))
        return block.empty_lanes(self.key, state), tf.Variable(tf.zeros([L * (C + 1), width(D)]))

    def _refill(self, lanes: Lanes, mask, hyper: Hyper) -> Lanes:
        """Begin a new training in every lane of `mask` (bool [L])."""
        state = self._start(hyper.seed, random.Stream.START, tf.zeros_like(lanes.episodes))
        return block.begin(lanes, mask, state, hyper, self.key)

    def _start(self, seed, stream: random.Stream, episode):
        """Starting states [..., S] of the given episodes, int32 [...]."""
        uniform = random.uniform(seed, stream, episode, self.dynamics.num_random)
        return self.dynamics.reset(uniform)

    def _test(self, weights, seed, limit, episodes: int):
        """Returns [episodes] of greedy episodes of one network, of `limit` steps at most."""
        numbers = tf.range(episodes)
        state = self._start(tf.fill([episodes], seed), random.Stream.TEST, numbers)

        def step(t, state, returns, active):
            q = self._network.apply(weights, self.dynamics.observe(state))
            state, r, terminal = self.dynamics.step(state, tf.argmax(q, -1, output_type=tf.int32))
            return t + 1, state, returns + tf.where(active, r, 0.0), active & ~terminal

        active, returns = tf.ones([episodes], tf.bool), tf.zeros([episodes])
        return tf.while_loop(
            lambda t, state, returns, active: (t < limit) & tf.reduce_any(active),
            step,
            (0, state, returns, active),
        )[2]

    def _chunk(
        self, lanes: Lanes, memory, hyper: Hyper, ticks, max_steps_per_tick, min_active
    ) -> Chunk:
        """Run until `ticks` are done, fewer than `min_active` lanes are alive or a record is full.

        A lane whose T_train is longer than a tick may be learns once several have taken it there.
        """

        def going(i, lanes, replay, records, recorded, work):
            living = tf.reduce_sum(tf.cast(dqn.alive(lanes, hyper), tf.int32))
            room = tf.reduce_max(recorded) + max_steps_per_tick <= RECORDS
            return (i < ticks) & (living >= min_active) & room

        def tick(i, lanes, replay, records, recorded, work):
            work += tf.reduce_sum(tf.cast(dqn.alive(lanes, hyper), tf.int32))
            before = lanes.t
            lanes, replay, records, recorded = self._walk(
                lanes, replay, records, recorded, hyper, max_steps_per_tick
            )
            return i + 1, self._learn(lanes, replay, before, hyper), replay, records, recorded, work

        records = tf.zeros([self.key.lanes * (RECORDS + 1), len(EPISODE_COLUMNS)])
        recorded = tf.zeros([self.key.lanes], tf.int32)
        i, lanes, replay, records, recorded, work = tf.while_loop(
            going, tick, (0, lanes, memory.read_value(), records, recorded, 0)
        )
        memory.assign(replay)
        records = tf.reshape(records, [self.key.lanes, RECORDS + 1, len(EPISODE_COLUMNS)])
        return Chunk(lanes, records, recorded, dqn.alive(lanes, hyper), i, work)

    def _walk(self, lanes, replay, records, recorded, hyper, max_steps_per_tick):
        """Environment steps in each lane, never beyond its next multiple of T_train."""
        steps_until_update = hyper.train_freq - lanes.t % hyper.train_freq  # [L]
        longest = tf.reduce_max(tf.where(dqn.alive(lanes, hyper), steps_until_update, 0))

        def step(k, lanes, replay, records, recorded):
            active = dqn.alive(lanes, hyper) & (k < steps_until_update)
            return k + 1, *self._step(lanes, replay, records, recorded, hyper, active)

        return tf.while_loop(
            lambda k, *_: k < tf.minimum(longest, max_steps_per_tick),
            step,
            (0, lanes, replay, records, recorded),
        )[1:]

    def _step(self, lanes, replay, records, recorded, hyper, active):
        """One environment step, act → step → store, in the lanes of `active` (bool [L])."""
        s = self.dynamics.observe(lanes.state)  # [L, D]
        action, q_sa = dqn.act(lanes.learner.weights, s, lanes.t, hyper, self._network)
        state, r, terminal = self.dynamics.step(lanes.state, action)
        truncated = lanes.episode.length + 1 >= hyper.time_limit
        step = Transition(s, action, r, self.dynamics.observe(state), terminal)

        after, transition, episode, ended = block.after_step(
            lanes, step, q_sa, truncated, active, hyper, tf
        )
        replay = self._write(replay, pack(transition, tf), lanes.t % hyper.buffer_size, active)
        row = block.pack_episode(episode, lanes.t + 1, dqn.epsilon(lanes.t + 1, hyper))
        records = self._write(records, row, recorded, ended)

        start = self._start(hyper.seed, random.Stream.START, after.episodes)
        state = tf.where(ended[:, None], start, state)
        after = after._replace(state=tf.where(active[:, None], state, lanes.state))
        return after, replay, records, recorded + tf.cast(ended, tf.int32)

    def _write(self, flat, row, position, mask):
        """Write row [L, columns] at `position` [L] of each lane's part of `flat`, where `mask`."""
        part = flat.shape[0] // self.key.lanes
        index = self._first(part) + tf.where(mask, position, part - 1)
        return tf.tensor_scatter_nd_update(flat, index[:, None], row)

    def _learn(self, lanes, replay, before, hyper) -> Lanes:
        def draw(_, index):
            return False, sample_indices(lanes.t, hyper, self.key.batch_size)

        # A loop of at most one round, or XLA draws each row anew for every column it gathers.
        unmoved = tf.zeros([self.key.lanes, self.key.batch_size], tf.int32)
        _, index = tf.while_loop(
            lambda moved, _: moved, draw, (tf.reduce_any(lanes.t > before), unmoved)
        )  # [L, B]
        first = self._first(self.key.capacity + 1)
        return dqn.learn(lanes, tf.gather(replay, index + first[:, None]), before, hyper, self.key)

    def _first(self, part: int) -> np.ndarray:
        """The first row of each lane's part, int32 [L], where a part has so many rows."""
        return np.arange(self.key.lanes, dtype=np.int32) * part
