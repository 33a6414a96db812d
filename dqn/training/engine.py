"""A worker's blocks of lanes: begin, advance, refill, read out; compiles once a shape.

The whole interface is `advance(new, cancelled) → episodes, finished`, and `checkpoint`, which takes
a training out so that another engine can go on with it. Knows nothing of Hydra, Optuna or files.
"""

import functools
import time
from collections import deque
from collections.abc import Iterable

from dqn.agents.block import Shape
from dqn.agents.compiled_loop import Program
from dqn.agents.networks import NETWORKS
from dqn.agents.stepped_loop import SteppedFunctions, SteppedProgram
from dqn.config import Config, EnvConfig
from dqn.envs import exclusive, gymnasium_env
from dqn.envs.registry import dynamics_named, dynamics_of
from dqn.runtime import compile_cache
from dqn.runtime.errors import UserError
from dqn.runtime.tensorflow import leave_gpus
from dqn.training import memory
from dqn.training.jobs import LANES, Checkpoint, EpisodeBatch, Finished, Job, TrainingId
from dqn.training.lane_block import Block

_FAIRNESS = 8  # calls of `advance`; one in so many goes to the block that has waited longest
CAPACITY = 8192  # transitions a lane can store; a job that needs more doubles it until it fits

ProgramKey = tuple[Shape, str | EnvConfig, str]
"""What a block is for: a shape, its compiled dynamics by name or its hosted environment, and the
text of that one's arguments: 1 and True are equal, and not the same to an environment."""


class Engine:
    """Trains jobs in blocks of lanes, all in this process."""

    def __init__(self, lanes: int = LANES):
        leave_gpus()  # also of a TensorFlow that an environment has imported
        self._lanes = lanes
        self._waiting: dict[ProgramKey, deque[Job | Checkpoint]] = {}
        self._blocks: dict[ProgramKey, Block] = {}
        self._ran: dict[ProgramKey, int] = {}  # the call of `advance` that ran it last
        self._short: set[ProgramKey] = set()  # those that wait for an environment of another block
        self._calls = 0
        self.ticks = self.work = 0
        """Lane-ticks run, and those of them in which a lane was at work."""
        self.seconds = self.useful = 0.0
        """Spent in chunks that compiled nothing, and the share of it that lanes at work had."""
        self.compiling = 0.0
        """Spent in the other chunks."""

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or under way."""
        return bool(self._waiting or self._blocks)

    def advance(
        self, new: Iterable[Job | Checkpoint] = (), cancelled: Iterable[TrainingId] = ()
    ) -> tuple[list[EpisodeBatch], list[Finished]]:
        """Run one chunk of one block, the fullest; its free lanes are refilled first.

        `new` jobs wait for a free lane in the order given. A `cancelled` one ends as `pruned` at
        once; cancelling one that is not here, or no longer, does nothing.
        """
        began = time.perf_counter()
        self._calls += 1
        finished = []
        for item in new:
            try:
                self._waiting.setdefault(self._place(item), deque()).append(item)
            except UserError as error:  # its environment cannot be made: no other training's matter
                finished.append(Finished.failed(_job(item), str(error), unmade=True))
        finished += [over for key in cancelled if (over := self._cancel(key)) is not None]
        place = self._next_place()
        if place is None:
            return [], finished
        waiting = self._waiting.pop(place, deque())
        block = self._blocks.pop(place, None)
        if block is None:
            if reason := memory.shortage(place[0]):
                return [], finished + [Finished.failed(_job(item), reason) for item in waiting]
            block = Block(_program(*place))
        compilations = block.compilations
        most = 1 if _is_exclusive(place) else self._lanes
        block.fill(waiting, most, elsewhere=self._is_elsewhere(place))
        if not block.keys:  # other blocks have all environments there can be: one of those goes on
            block.close()
            self._waiting[place] = waiting
            self._short.add(place)
            episodes, more = self.advance()
            return episodes, finished + more
        episodes = block.advance(return_early=bool(waiting))
        finished += block.take_finished()
        self.ticks += block.lane_ticks
        self.work += block.work
        if waiting:
            self._waiting[place] = waiting
        if waiting or block.keys:
            self._blocks[place] = block
        else:
            block.close()
        took = time.perf_counter() - began
        if block.compilations > compilations:
            self.compiling += took
        else:
            self.seconds += took
            self.useful += took * block.work / max(block.lane_ticks, 1)
        return episodes, finished

    def close(self) -> None:
        """Let go of environments stepped in Python; trainings under way are lost."""
        for block in self._blocks.values():
            block.close()
        self._blocks.clear()
        self._waiting.clear()

    def _next_place(self) -> ProgramKey | None:
        """The place with most of its lanes at work, of equals the one that has waited longest.

        A lane-tick costs the same whether a job is in the lane or not, so blocks with few jobs wait
        until there are more or nothing else is left; but not for ever: every so often the one that
        has waited longest has its turn.
        """
        places = list(dict.fromkeys([*self._waiting, *self._blocks]))
        if held := [place for place in self._blocks if _is_exclusive(place)]:
            places = [place for place in places if place in held or not _is_exclusive(place)]
        self._short = {place for place in self._short if self._is_elsewhere(place)}
        places = [place for place in places if place not in self._short]
        if not places:
            return None

        def rank(place: ProgramKey) -> tuple[int, int]:
            waited = self._calls - self._ran.get(place, 0)
            if self._calls % _FAIRNESS == 0:
                return waited, 0
            jobs = len(self._waiting.get(place, ()))
            jobs += len(self._blocks[place].keys) if place in self._blocks else 0
            return min(jobs, self._lanes), waited

        chosen = max(places, key=rank)
        self._ran[chosen] = self._calls
        return chosen

    def _is_elsewhere(self, place: ProgramKey) -> bool:
        """Whether a block of another place has environments of the same id."""
        env = place[1]
        return isinstance(env, EnvConfig) and any(
            isinstance(other[1], EnvConfig) and other[1].id == env.id
            for other in self._blocks
            if other != place
        )

    def checkpoint(self, key: TrainingId) -> Job | Checkpoint:
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

    def _cancel(self, key: TrainingId) -> Finished | None:
        try:
            taken = self.checkpoint(key)
        except KeyError:
            return None
        return Finished.pruned(taken)

    def _withdraw(self, key: TrainingId) -> Job | Checkpoint:
        for place, waiting in self._waiting.items():
            for item in waiting:
                if item.key == key:
                    waiting.remove(item)
                    if not waiting:
                        del self._waiting[place]
                    return item
        raise KeyError(key)

    def _place(self, item: Job | Checkpoint) -> ProgramKey:
        config = _job(item).config
        task, dynamics = gymnasium_env.describe(config.env), dynamics_of(config.env)
        network = NETWORKS["mlp"](
            task.observation_size, config.hidden, config.activation, task.actions
        )
        shape = Shape(
            network,
            "adam",
            config.batch_size,
            _capacity(config, task.max_episode_steps),
            self._lanes,
        )
        if dynamics is None:
            return shape, config.env, repr(config.env.kwargs)
        return shape, dynamics.name, ""


def _job(item: Job | Checkpoint) -> Job:
    return item if isinstance(item, Job) else item.job


def _is_exclusive(place: ProgramKey) -> bool:
    """Whether its environment is known to exist once at a time: one lane, in one block."""
    env = place[1]
    return isinstance(env, EnvConfig) and exclusive.exclusive(env, look=False) != ""


def _program(shape: Shape, env: str | EnvConfig, arguments: str) -> Program | SteppedProgram:
    """What runs a block; its compiled functions are shared by all blocks of one shape."""
    if isinstance(env, EnvConfig):
        return SteppedProgram(_hosted_functions(shape), env)
    return _compiled(shape, env)


@functools.cache
def _compiled(shape: Shape, name: str) -> Program:
    return Program(shape, dynamics_named(name), compile_cache.graphs())


@functools.cache
def _hosted_functions(shape: Shape) -> SteppedFunctions:
    return SteppedFunctions(shape, compile_cache.graphs())


def _capacity(config: Config, time_limit: int) -> int:
    """Transitions that can ever be stored at once, rounded up to a power of two."""
    most = config.buffer_size
    if config.steps:
        most = min(most, config.steps)
    if config.episodes and time_limit:
        most = min(most, config.episodes * time_limit)
    return max(CAPACITY, 1 << (most - 1).bit_length())
