"""Lanes at full load: every lane of a block at work, for as long as it is asked."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from dqn.config import Config
from dqn.training.engine import LANES, Engine
from dqn.training.jobs import Job

ENDLESS = 2**30
FLOOR = Config(episodes=0, steps=ENDLESS, epsilon_start=0.05)
"""The exercise with epsilon at its floor, where an agent spends most of its training."""
MIXED = (1, 2, 4, 8)
"""T_train of the lanes in turn; none is above what one tick can do, `block.MAX_STEPS_PER_TICK`."""


class FullBlock:
    """One engine with one block of endless trainings, all compiled and learning."""

    def __init__(self, config: Config = FLOOR, lanes: int = LANES, train_freqs: Sequence[int] = ()):
        self._engine = Engine(lanes)
        periods = train_freqs or (config.train_freq,)
        configs = [replace(config, train_freq=periods[i % len(periods)]) for i in range(lanes)]
        self._steps_a_tick = sum(c.train_freq for c in configs) / lanes  # of one lane
        new = [Job(0, seed, c) for seed, c in enumerate(configs)]
        began = perf_counter()
        self._engine.advance(new)
        self.first_call = perf_counter() - began
        """Seconds until the first chunk was done: tracing and compiling, mostly."""
        while self._engine.ticks * min(periods) < 3 * config.batch_size * lanes:
            self._engine.advance()

    def rates(self, seconds: float) -> tuple[float, float]:
        """Environment steps and updates a second of the whole block, in whole chunks."""
        first, began = self._engine.ticks, perf_counter()
        while True:
            self._engine.advance()
            if (took := perf_counter() - began) >= seconds:
                break
        updates = (self._engine.ticks - first) / took
        return updates * self._steps_a_tick, updates

    def steps(self, seconds: float) -> float:
        """Environment steps a second."""
        return self.rates(seconds)[0]

    def updates(self, seconds: float) -> float:
        """Updates a second, each of one lane."""
        return self.rates(seconds)[1]
