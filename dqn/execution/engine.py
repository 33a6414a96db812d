"""A worker's blocks of lanes: begin, advance, refill, read out; compiles once a shape.

The whole interface is `advance(new, cancelled) → episodes, finished`, and `checkpoint`, which takes
a training out so that another engine can go on with it. Knows nothing of Hydra, Optuna or files.
"""

import functools
from collections import deque
from collections.abc import Iterable

from dqn.algorithm.block import Shape
from dqn.algorithm.compiled import Program
from dqn.algorithm.hosted import HostedFunctions, HostedProgram
from dqn.config import Config, EnvConfig
from dqn.envs.compiled import COMPILED, dynamics_of
from dqn.execution.block import Block, task_of
from dqn.execution.jobs import Checkpoint, Episodes, Finished, Job, Key

# From 8 to 64 lanes a block differ by less than a shared machine's noise, fewer are slower
# (`python -m dqn.bench --scaling`); of those, 16 fill with few seeds and return soon.
LANES = 16
CAPACITY = 8192  # transitions a lane can store; a job that needs more doubles it until it fits

Place = tuple[Shape, str | EnvConfig]
"""What a block is for: a shape, and its compiled dynamics by name or its hosted environment."""


class Engine:
    """Trains jobs in blocks of lanes, all in this process."""

    def __init__(self, lanes: int = LANES):
        self._lanes = lanes
        self._waiting: dict[Place, deque[Job | Checkpoint]] = {}
        self._blocks: dict[Place, Block] = {}
        self.ticks = self.work = 0
        """Lane-ticks run, and those of them in which a lane was at work."""

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or under way."""
        return bool(self._waiting or self._blocks)

    def advance(
        self, new: Iterable[Job | Checkpoint] = (), cancelled: Iterable[Key] = ()
    ) -> tuple[list[Episodes], list[Finished]]:
        """Run one chunk of one block, the blocks in turn; its free lanes are refilled first.

        `new` jobs wait for a free lane in the order given. A `cancelled` one ends as `pruned` at
        once; cancelling one that is not here, or no longer, does nothing.
        """
        for item in new:
            self._waiting.setdefault(self._place(item), deque()).append(item)
        finished = [over for key in cancelled if (over := self._cancel(key)) is not None]
        # A block that is still to be opened comes first, or a long training would bar it for good.
        places = [place for place in self._waiting if place not in self._blocks]
        place = next(iter([*places, *self._blocks]), None)
        if place is None:
            return [], finished
        block = self._blocks.pop(place, None) or Block(_program(*place))
        waiting = self._waiting.pop(place, deque())
        block.fill(waiting)
        episodes = block.advance(return_early=bool(waiting))
        finished += block.take_finished()
        self.ticks += block.lane_ticks
        self.work += block.work
        if waiting:
            self._waiting[place] = waiting
        if waiting or block.keys:
            self._blocks[place] = block  # behind the others
        else:
            block.close()
        return episodes, finished

    def checkpoint(self, key: Key) -> Job | Checkpoint:
        """Take a training out, for any engine's `advance` to go on with; the result is the same.

        Raises `KeyError` where no job of that key is waiting or under way.
        """
        for place, block in self._blocks.items():
            if key in block.keys:
                taken = block.checkpoint(key)
                if not block.keys:
                    block.close()
                    del self._blocks[place]
                return taken
        return self._withdraw(key)

    def _cancel(self, key: Key) -> Finished | None:
        try:
            taken = self.checkpoint(key)
        except KeyError:
            return None
        return Finished.pruned(taken)

    def _withdraw(self, key: Key) -> Job | Checkpoint:
        for place, waiting in self._waiting.items():
            for item in waiting:
                if item.key == key:
                    waiting.remove(item)
                    if not waiting:
                        del self._waiting[place]
                    return item
        raise KeyError(key)

    def _place(self, item: Job | Checkpoint) -> Place:
        config = item.config if isinstance(item, Job) else item.job.config
        task, dynamics = task_of(config.env), dynamics_of(config.env)
        shape = Shape(
            task.observation_size,
            task.actions,
            config.hidden,
            config.activation,
            config.batch_size,
            _capacity(config, task.max_episode_steps),
            self._lanes,
        )
        return shape, config.env if dynamics is None else dynamics.name


def _program(shape: Shape, env: str | EnvConfig) -> Program | HostedProgram:
    """What runs a block; its compiled functions are shared by all blocks of one shape."""
    if isinstance(env, EnvConfig):
        return HostedProgram(_hosted_functions(shape), env)
    return _compiled(shape, env)


@functools.cache
def _compiled(shape: Shape, name: str) -> Program:
    return Program(shape, next(known for known in COMPILED.values() if known.name == name))


@functools.cache
def _hosted_functions(shape: Shape) -> HostedFunctions:
    return HostedFunctions(shape)


def _capacity(config: Config, time_limit: int) -> int:
    """Transitions that can ever be stored at once, rounded up to a power of two."""
    most = config.buffer_size
    if config.steps:
        most = min(most, config.steps)
    if config.episodes and time_limit:
        most = min(most, config.episodes * time_limit)
    return max(CAPACITY, 1 << (most - 1).bit_length())
