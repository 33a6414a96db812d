"""A worker's blocks of lanes: begin, advance, refill, read out; compiles once a shape.

The whole interface is `advance(new, cancelled) → episodes, finished`, or `chunk`, which also says
where the time went. Knows nothing of Hydra, Optuna or files.
"""

import functools
import math
import time
from collections import deque
from collections.abc import Iterable

from dqn.agents.compiled_loop import Program
from dqn.agents.networks import network_of
from dqn.agents.optimizers import optimizer_of
from dqn.agents.replay import width
from dqn.agents.stepped_loop import SteppedFunctions, SteppedProgram
from dqn.config import EnvConfig
from dqn.config.fields import INT_BOUND
from dqn.envs import dynamics_named, exclusive, gymnasium_env
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import UserError
from dqn.runtime.limits import free_bytes
from dqn.runtime.tensorflow import leave_gpus
from dqn.training.jobs import LANES, ChunkResult, EpisodeBatch, Finished, Job, TrainingId
from dqn.training.lane_block import Block
from dqn.training.own_components import kept, refuse_unfit

_FAIRNESS = 8  # calls of `advance`; one in so many goes to the block that has waited longest
_COPIES = 2  # XLA keeps the networks a chunk was given until it has those it returns


class Engine:
    """Trains jobs in blocks of lanes, all in this process."""

    def __init__(self, lanes: int = LANES):
        leave_gpus()  # also of a TensorFlow that an environment has imported
        self._lanes = lanes
        self._waiting: dict[ProgramKey, deque[Job]] = {}
        self._blocks: dict[ProgramKey, Block] = {}
        self._ran: dict[ProgramKey, int] = {}  # the call of `advance` that ran it last
        self._short: set[ProgramKey] = set()  # those that wait for an environment of another block
        self._calls = 0
        self.ticks = self.work = 0
        """Lane-ticks run, and those of them in which a lane was at work."""

    @property
    def busy(self) -> bool:
        """Whether any job is waiting or under way."""
        return bool(self._waiting or self._blocks)

    def advance(
        self, new: Iterable[Job] = (), cancelled: Iterable[TrainingId] = ()
    ) -> tuple[list[EpisodeBatch], list[Finished]]:
        """As `chunk`: the episodes that ended, and the trainings."""
        return self.chunk(new, cancelled)[:2]

    def chunk(self, new: Iterable[Job] = (), cancelled: Iterable[TrainingId] = ()) -> ChunkResult:
        """Run one chunk of one block, the fullest; its free lanes are refilled first.

        `new` jobs wait for a free lane in the order given. A `cancelled` one ends as `pruned` at
        once; cancelling one that is not here, or no longer, does nothing.
        """
        began = time.perf_counter()
        self._calls += 1
        finished = []
        for job in new:
            try:
                self._waiting.setdefault(self._key(job), deque()).append(job)
            except UserError as error:  # its environment cannot be made: no other training's matter
                finished.append(Finished.failed(job, str(error), unmade=True))
        finished += [over for id_ in cancelled if (over := self._cancel(id_)) is not None]
        key = self._next_key()
        if key is None:
            return ChunkResult([], finished)
        waiting = self._waiting.pop(key, deque())
        block = self._blocks.pop(key, None)
        if block is None:
            if reason := _unfit(key) or shortage(key):
                return ChunkResult([], finished + [Finished.failed(job, reason) for job in waiting])
            block = Block(_program(key))
        compilations = block.program.compilations
        most = 1 if _is_exclusive(key) else self._lanes
        block.fill(waiting, most, elsewhere=self._is_elsewhere(key))
        if not block.keys:  # other blocks have all environments there can be: one of those advances
            block.close()
            self._waiting[key] = waiting
            self._short.add(key)
            result = self.chunk()
            return result._replace(finished=finished + result.finished)
        episodes = block.advance(return_early=bool(waiting))
        finished += block.take_finished()
        self.ticks += block.lane_ticks
        self.work += block.work
        if waiting:
            self._waiting[key] = waiting
        if waiting or block.keys:
            self._blocks[key] = block
        else:
            block.close()
        took = time.perf_counter() - began
        if block.program.compilations > compilations:
            return ChunkResult(episodes, finished, compiling=took)
        return ChunkResult(episodes, finished, took, took * block.work / max(block.lane_ticks, 1))

    def close(self) -> None:
        """Let go of environments stepped in Python; trainings under way are lost."""
        for block in self._blocks.values():
            block.close()
        self._blocks.clear()
        self._waiting.clear()

    def _next_key(self) -> ProgramKey | None:
        """The key with most of its lanes at work, of equals the one that has waited longest.

        A lane-tick costs the same whether a job is in the lane or not, so blocks with few jobs wait
        until there are more or nothing else is left; but every so often for the longest wait.
        """
        keys = list(dict.fromkeys([*self._waiting, *self._blocks]))
        if held := [key for key in self._blocks if _is_exclusive(key)]:
            keys = [key for key in keys if key in held or not _is_exclusive(key)]
        self._short = {key for key in self._short if self._is_elsewhere(key)}
        keys = [key for key in keys if key not in self._short]
        if not keys:
            return None

        def rank(key: ProgramKey) -> tuple[int, int]:
            waited = self._calls - self._ran.get(key, 0)
            if self._calls % _FAIRNESS == 0:
                return waited, 0
            jobs = len(self._waiting.get(key, ()))
            jobs += len(self._blocks[key].keys) if key in self._blocks else 0
            return min(jobs, self._lanes), waited

        chosen = max(keys, key=rank)
        self._ran[chosen] = self._calls
        return chosen

    def _is_elsewhere(self, key: ProgramKey) -> bool:
        """Whether a block of another key has environments of the same id."""
        blocks = [other for other in self._blocks if other != key]
        return bool(key.env_id) and any(other.env_id == key.env_id for other in blocks)

    def _cancel(self, training: TrainingId) -> Finished | None:
        for key, block in self._blocks.items():
            if training in block.keys:
                pruned = block.cancel(training)
                if not block.keys:
                    block.close()
                    del self._blocks[key]
                return pruned
        for key, waiting in self._waiting.items():
            if found := [job for job in waiting if job.key == training]:
                waiting.remove(found[0])
                if not waiting:
                    del self._waiting[key]
                return Finished.pruned(found[0])
        return None

    def _key(self, job: Job) -> ProgramKey:
        return ProgramKey.of(job.config, gymnasium_env.describe(job.config.env), self._lanes)


def _is_exclusive(key: ProgramKey) -> bool:
    """Whether its environment is known to exist once at a time: one lane, in one block."""
    return isinstance(key.env, EnvConfig) and exclusive.exclusive(key.env, look=False) != ""


def _program(key: ProgramKey) -> Program | SteppedProgram:
    """What runs a block; its compiled functions are shared by all blocks of one shape."""
    if isinstance(key.env, EnvConfig):
        return SteppedProgram(_stepped_functions(key._replace(env="", arguments="")), key.env)
    return _compiled_program(key, key.env)


@functools.cache
def _compiled_program(key: ProgramKey, env: str) -> Program:
    return Program(key, dynamics_named(env), kept(key))


@functools.cache
def _stepped_functions(key: ProgramKey) -> SteppedFunctions:
    return SteppedFunctions(key, kept(key))


def _unfit(key: ProgramKey) -> str:
    """Why a component of one's own cannot train a block of this key; "" where each can."""
    try:
        refuse_unfit(key)
    except UserError as error:
        return str(error)
    return ""


def shortage(key: ProgramKey) -> str:
    """Why a block of this key cannot be made here, in one line; "" where it can."""
    if key.lanes * (key.capacity + 1) >= INT_BOUND:
        return (
            f"the {key.lanes} lanes of a block must hold less than 2^31 transitions, got buffers "
            f"of {key.capacity:,}; choose a smaller buffer_size"
        )
    needed, free = _block_bytes(key), free_bytes()
    if free is None or needed <= free:
        return ""
    return (
        f"a block of {key.lanes} lanes must fit into memory, got "
        f"hidden={list(key.network.hidden)}, batch_size={key.batch_size} and buffers of "
        f"{key.capacity:,}, which need {needed / 2**30:,.1f} GiB of {free / 2**30:,.1f} GiB "
        "free; choose smaller ones"
    )


def _block_bytes(key: ProgramKey) -> int:
    """Bytes of a block at work, at least: networks, the optimizer's slots, replay, activations."""
    shapes = network_of(key).shapes
    copies = _COPIES * (2 + optimizer_of(key).slots)  # online, target
    networks = (copies + 1) * sum(math.prod(weight) for weight in shapes)  # and the gradients
    units = key.observation_size + sum(weight[0] for weight in shapes if len(weight) == 1)
    activations = 3 * key.batch_size * units  # online on s, target on s', the backward pass
    replay = (key.capacity + 1) * width(key.observation_size)
    return 4 * key.lanes * (networks + activations + replay)
