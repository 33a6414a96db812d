"""`--dry-run`: what a command would train and what that takes; nothing is trained or written."""

import itertools
import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.envs import exclusive, gymnasium_env, is_compiled
from dqn.envs.program_key import ProgramKey
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.limits import free_bytes
from dqn.runtime.secrets import hidden
from dqn.statistics.formatting import count, format_bytes, format_duration
from dqn.storage import manifest
from dqn.storage.layout import shown_path
from dqn.storage.past_trainings import PastTrainings, folders_near, past_trainings
from dqn.storage.reader import read_so_far
from dqn.storage.safe_yaml import written
from dqn.storage.seeds_text import RowId, row_id
from dqn.storage.trials import retried
from dqn.terminal.console import steps
from dqn.training.jobs import LANES
from dqn.workers.pool import WORKER_BYTES, worker_count

_LINES = 12  # of a configuration that are shown
_ROW_BYTES, _EPISODE_BYTES = 300, 26  # of the tables, where no earlier ones tell
_PICTURES = 600_000  # bytes of figures, episode and network

_asked: ContextVar[bool] = ContextVar("dry_run", default=False)


@contextmanager
def dry_run() -> Iterator[None]:
    """Have `is_dry_run` be true: what is called within shows its `Plan` instead of training it."""
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


def is_dry_run() -> bool:
    """Whether the command in this context was given `--dry-run`."""
    return _asked.get()


@dataclass(frozen=True)
class Plan:
    """What a command would train."""

    title: str
    """A run, a grid or a study of what, in words."""
    path: Path
    base: Config
    trainings: int
    """At most, those that are there included."""
    missing: int
    """At most."""
    work: Sequence[tuple[Config, float]]
    """How many trainings of which configurations are missing, as far as one can tell."""
    configs: Sequence[Config]
    """Those that tell what the trainings need of memory."""
    swept: Mapping[str, str] = field(default_factory=dict)
    """By key, what it is varied over."""
    notes: Sequence[str] = ()


def finished(path: Path) -> tuple[set[RowId], list[str]]:
    """The trainings in a folder that would not be trained again; what is odd about it, in lines."""
    if not (path / manifest.CONFIG).exists():
        return set(), []
    try:
        rows = read_so_far(path).rows
    except (UserError, RunError) as error:
        return set(), [f"what is there cannot be counted: {error}"]
    again = {key for own in rows.values() for key in retried(own)}
    return {row_id(row) for own in rows.values() for row in own} - again, []


def show_run(config: Config, path: Path) -> None:
    """Show what a run of `config` would train into `path`; raises as opening that would."""
    manifest.check_or_write(path, config, is_dry=True)
    there, notes = finished(path)
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    missing = sum((0, seed) not in there for seed in seeds)
    title = f"a run of {count(config.seeds, 'seed')}"
    work = [(config, float(missing))]
    show(Plan(title, path, config, config.seeds, missing, work, [config], notes=notes))


def show(plan: Plan) -> None:
    """Print a plan."""
    with steps() as tell:
        tell("looking at earlier trainings ...")
        text = "\n".join(_page(plan))
    print(hidden(text))


def _page(plan: Plan) -> list[str]:
    where = f"{plan.title}, into {shown_path(plan.path)}"
    lines = ["dry run: nothing is trained, nothing is written", "", where]
    rows = {"trainings": _trainings(plan)}
    if plan.missing:
        jobs = max(1, math.ceil(sum(n for _, n in plan.work)))
        workers = _workers(plan, jobs)
        estimate = _Estimate(plan, workers, jobs)
        rows |= {
            "steps": estimate.steps_text(),
            "time": estimate.time_text(),
            "": estimate.source_text(),
            "memory": _memory(plan, workers),
            "disk": estimate.disk_text(),
        }
    lines += [f"  {name:<11}{text}" for name, text in rows.items() if text]
    lines += [f"  {'note':<11}{note}" for note in plan.notes]
    if plan.swept:
        lines += ["", "varied", *(f"  {key}: {values}" for key, values in plan.swept.items())]
    about = written(plan.base.to_mapping(), default_flow_style=None).splitlines()
    lines += ["", "configuration", *(f"  {line}" for line in about[:_LINES])]
    lines.append(f"  ... {count(len(about) - _LINES, 'more line')}: --cfg job shows them")
    return lines


def _trainings(plan: Plan) -> str:
    if not plan.missing:
        return f"{plan.trainings:,}, all of them are there; nothing to do"
    there = plan.trainings - plan.missing
    most = sum(n for _, n in plan.work) < plan.missing
    text = f"{plan.trainings:,}{' at most' * most}"
    missing = f"{plan.missing:,}{' at most' * most}"
    text += f", {there:,} are there, {missing} are missing" if there else ""
    return text + f"; about {sum(n for _, n in plan.work):,.0f}" * most


def _workers(plan: Plan, jobs: int) -> int:
    """How many processes would train; 0: this one alone."""
    if jobs > 1 and any(exclusive.is_exclusive(config) for config in plan.configs):
        return 0
    return worker_count(plan.base.workers, jobs, plan.configs)


class _Estimate:
    """Steps, time and disk of what is missing, from earlier trainings on this machine."""

    def __init__(self, plan: Plan, workers: int, jobs: int):
        self._plan, self._workers, self._jobs = plan, workers, jobs
        folders = folders_near(plan.path)
        self._past: dict[Any, PastTrainings | None] = {}
        self._known: list[PastTrainings | None] = []
        self.steps = self.seconds = self.episodes = 0.0
        usual, self.most = max(1.0, sum(number for _, number in plan.work)), 0.0
        for config, number in ((config, number) for config, number in plan.work if number):
            key = (ProgramKey.of(config), config.train_freq, config.env)
            if key not in self._past:
                self._past[key] = past_trainings(folders, config)
            past = self._past[key]
            self._known.append(past)
            self.most += number / usual * plan.missing * most_steps(config)
            if past is not None:
                episodes, taken = _usual(config, past.steps_per_episode)
                self.steps += number * taken
                self.episodes += number * episodes
                self.seconds += number * taken / self._speed(config, past)
            else:
                self.episodes += number * (config.episodes or math.inf)

    @property
    def _is_known(self) -> bool:
        return all(past is not None for past in self._known)

    def _speed(self, config: Config, past: PastTrainings) -> float:
        """Steps per second of all workers together: a block's ticks cost the same however full."""
        workers = max(1, self._workers)
        if not is_compiled(config.env):
            return past.speed * workers
        now = _lanes(self._jobs, workers, past.spread)
        return past.speed * now / past.lanes * workers

    def steps_text(self) -> str:
        """How many, and the most that there can be."""
        most = f"at most {self.most:,.0f}" if math.isfinite(self.most) else "no bound is known"
        return f"about {_rounded(self.steps):,.0f} ({most})" if self._is_known else most

    def time_text(self) -> str:
        """How long that takes."""
        if not self._is_known:
            return "not known: no training in this environment on this machine in outputs/ so far"
        workers = "this process" if not self._workers else count(self._workers, "worker")
        if self._plan.base.fleet == "ray":
            workers += ", more of them in a larger cluster"
        load = "and some seconds to load and compile"
        if any(past is not None and past.is_whole for past in self._known):
            load = "loading and compiling included"
        return f"about {format_duration(self.seconds)} on {workers}, {load}"

    def source_text(self) -> str:
        """Where the speed is from."""
        known = [past for past in self._known if past is not None]
        if not self._is_known or not known:
            return ""
        last = known[0]
        alike = "" if all(past.is_alike for past in known) else ", of other networks or minibatches"
        ago = format_duration(time.time() - last.when)
        compiling = " with loading and compiling" if last.is_whole else ""
        return (
            f"as in {shown_path(last.folder)}, {ago} ago: "
            f"{count(last.trainings, 'training')}{alike}, "
            f"{last.speed:,.0f} steps/s on a worker{compiling}"
        )

    def disk_text(self) -> str:
        """What the tables and pictures take, and what is free."""
        free = f"{format_bytes(_free_disk(self._plan.path))} free"
        if not math.isfinite(self.episodes):
            return f"not known, as the number of episodes is not bounded ({free})"
        known = [past.bytes_per_episode for past in self._known if past is not None]
        each = max(known) if self._is_known and known else _EPISODE_BYTES
        rows = 0 if self._is_known and known else _ROW_BYTES * self._jobs
        size = self.episodes * each + rows + _PICTURES
        return f"about {format_bytes(_rounded(size))} ({free})"


def most_steps(config: Config) -> float:
    """Environment steps of one training at most; infinite where no bound is known."""
    limit = gymnasium_env.describe(config.env).max_episode_steps or math.inf
    by_episodes = config.episodes * limit if config.episodes else math.inf
    return min(by_episodes, config.steps or math.inf)


def _usual(config: Config, steps_per_episode: float) -> tuple[float, float]:
    """Episodes and steps of a training whose episodes are so long; the nearer bound counts."""
    episodes = config.episodes or math.inf
    if config.steps:
        episodes = min(episodes, config.steps / max(1.0, steps_per_episode))
    return episodes, min(episodes * steps_per_episode, config.steps or math.inf)


def _lanes(trainings: int, workers: int, spread: float) -> float:
    """How many lanes of a worker are at work, on average."""
    own = trainings / max(1, workers)
    return own * spread if own <= LANES else float(LANES)


def _rounded(number: float) -> float:
    """To two figures: it is an estimate."""
    return float(f"{number:.2g}")


def _memory(plan: Plan, workers: int) -> str:
    keys = {ProgramKey.of(c, gymnasium_env.describe(c.env), LANES) for c in plan.configs}
    block = max(map(block_bytes, keys))
    size = max(1, workers) * (WORKER_BYTES + block) + (WORKER_BYTES // 2 if workers else 0)
    free = free_bytes()
    left = "" if free is None else f" ({format_bytes(free)} free)"
    return f"about {format_bytes(_rounded(size))}{left}"


def block_bytes(key: ProgramKey) -> int:
    """Bytes of a block at work: about as many as the engine counts, which needs TensorFlow."""
    sizes = [key.observation_size, *key.network.hidden, key.actions]
    weights = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    activations = 3 * key.batch_size * sum(sizes)
    replay = (key.capacity + 1) * (2 * key.observation_size + 3)
    return 4 * key.lanes * (9 * weights + activations + replay)


def _free_disk(path: Path) -> int:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free
