"""A driver over made-up results: a study's trials end in any order, and it dies at any moment."""

import contextlib
import math
import random
import re
import sqlite3
from pathlib import Path

import optuna
import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.storages._rdb.storage import _VersionManager

from dqn.compose.fast_compose import one_line
from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.statistics.metrics import METRICS, metrics_of
from dqn.storage.columns import hyperparameters
from dqn.storage.trials import retried
from sweeps.search.settings import Settings
from sweeps.search.space import overrides_of
from sweeps.search.space_parser import search_space
from sweeps.search.study import Study

CONF = Path(__file__).parents[2] / "conf"
PARSER = OverridesParser.create(ConfigLoaderImpl(create_config_search_path(str(CONF))))
TRIALS = 12
TPE = {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 4}
RANDOM, GRID, QMC, CMAES = (
    {"_target_": f"optuna.samplers.{name}Sampler"} for name in ("Random", "Grid", "QMC", "CmaEs")
)
MEDIAN, HYPERBAND = ({"_target_": f"optuna.pruners.{n}Pruner"} for n in ("Median", "Hyperband"))

_migrations = _VersionManager._create_alembic_script


def _loaded_once(manager, known=[]):  # noqa: B006
    """Optuna loads ten migrations whenever it opens a storage, and these tests open hundreds."""
    if not known:
        known.append(_migrations(manager))
    return known[0]


_VersionManager._create_alembic_script = _loaded_once


def compose(params) -> Config:
    """The configuration of a sample, without Hydra's files; refuses as `Composer` does."""
    with one_line():
        overrides = PARSER.parse_overrides(overrides_of(params))
    return Config.from_mapping({"seeds": 2, **{o.key_or_group: o.value() for o in overrides}})


def space_of(*texts, params=None):
    return search_space(PARSER.parse_overrides(list(texts)), params or {}, compose, PARSER)


def refused(call, parts: str) -> None:
    """What `call` raises is one line, which has the `parts` between " … " in their order."""
    with pytest.raises(UserError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    pattern = ".*".join(map(re.escape, parts.split(" … ")))
    assert re.search(pattern, line), line


def quadratic(config: Config, seed: int) -> float:
    return -((math.log10(config.lr) + 3) ** 2) - abs(config.gamma - 0.95) + 0.01 * seed


def row_of(number, seed, config, value, status="done"):
    metrics = dict.fromkeys(METRICS, value) | {"solved_at": None}
    if status != "done":
        metrics = dict.fromkeys(metrics)
    return {
        "trial": number, "seed": seed, "status": status, "episodes": 10,
        **hyperparameters(config), **metrics,
    }  # fmt: skip


def study_in(path, name=None):
    """The study of a folder, as any tool of Optuna's opens it."""
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path / 'study.db'}")


def trials_in(path):
    return study_in(path).trials


def edit_study(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


class KillError(Exception):
    """What a kill -9 is here."""


def dying_before(monkeypatch, *calls) -> set[str]:
    """Have each of `calls`, an owner and a name, die once before it does a thing; what died."""
    died: set[str] = set()
    for owner, name in calls:
        write = getattr(owner, name)

        def dying(*values, name=name, write=write, **named):
            plain = [v for v in values if isinstance(v, int | float | str | tuple | dict)]
            what = f"{name} {plain} {named}"
            if what not in died:
                died.add(what)
                raise KillError
            return write(*values, **named)

        monkeypatch.setattr(owner, name, dying)
    return died


class World:
    """What outlives a command: the folder with its study.db, and the rows on disk.

    `value` gives a seed's return: NaN has diverged, None could not be trained.
    """

    def __init__(self, path, *texts, value=quadratic, seeds=2, identity="a", **settings):
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.value, self.rows, self.same = path, value, {}, {}
        texts = texts or ("lr=tag(log,interval(1e-5,1e-1))", "gamma=interval(0.9,0.999)")
        self.space, self.params, self.identity = space_of(*texts), {}, identity
        self.base = Config(seeds=seeds)
        self.settings = {"name": "s", "n_trials": TRIALS, "parallel": 4, "sampler": TPE, **settings}

    def study(self, identity=None, **changes) -> Study:
        identity = identity or self.identity
        settings = Settings(**{**self.settings, **changes})
        rows = self.rows.values()
        return Study(settings, self.space, self.path, self.base, compose, identity, rows)

    def survive(self) -> int:
        """Train until the study has nothing more through every `KillError`; how many there were."""
        kills = 0
        while True:
            try:
                assert self.run(random.Random(0))
                return kills
            except KillError:
                kills += 1

    def killed(self, seed: int, **changes) -> "World":
        """Train until then, through kills at random moments, in random orders."""
        rng = random.Random(seed)
        while not self.run(rng, stop_after=rng.randrange(1, 12), **changes):
            pass
        return self

    def run(self, rng: random.Random, stop_after: float = math.inf, **changes) -> bool:
        """Train until the study has nothing more, or die after so many seeds: then False."""
        study, todo, done, trials = self.study(**changes), {}, {}, {}
        followers = {}

        def rows_of(number):
            return [row for (n, _), row in sorted(self.rows.items()) if n == number]

        def settle(number):
            while not todo[number]:
                rows = list(done[number].values())
                more = () if trials[number] is None else study.next_stage_seeds(number, rows)
                if not more:
                    study.on_trial_end(number, rows)
                    del todo[number]
                    for other in followers.pop(number, ()):
                        study.on_trial_end(other, rows)
                    return
                give(number, more)

        def give(number, seeds):
            for key in retried(rows_of(number)):
                del self.rows[key]
            todo[number] = [s for s in seeds if (number, s) not in self.rows]
            for s in seeds:
                if (number, s) in self.rows:
                    hear(number, s)

        def hear(number, seed):
            row = done[number][seed] = self.rows[number, seed]
            if row["status"] in ("pruned", "failed") or not study.keep_after_seed(number, row):
                prune(number)

        def prune(number):
            config, trials[number] = trials[number] or configs[number], None
            for s in todo[number]:
                self.rows[number, s] = row_of(number, s, config, None, "pruned")
                done[number][s] = self.rows[number, s]
            todo[number] = []

        configs = {}
        try:
            while True:
                while len(todo) < 6 and (trial := study.next()) is not None:
                    number = trial.number
                    self.params.setdefault(number, dict(study._params[number]))
                    assert self.params[number] == study._params[number]
                    if trial.same_as is not None:
                        self.same[number] = trial.same_as
                        assert trial.seeds == ()
                        if trial.same_as in todo:
                            followers.setdefault(trial.same_as, []).append(number)
                        else:
                            study.on_trial_end(number, rows_of(trial.same_as))
                        continue
                    trials[number] = configs[number] = trial.config
                    done[number] = {}
                    give(number, trial.seeds)
                    for rung in range(len(study.rungs)):
                        if trials[number] is not None and todo[number]:
                            values = {s: self.value(trial.config, s) for s in trial.seeds}
                            known = {s: v if v and v == v else 9.0 for s, v in values.items()}
                            at = {s: metrics_of([v], [1]) for s, v in known.items()}
                            if not study.keep_at_rung(number, rung, at):
                                prune(number)
                    settle(number)
                if not todo:
                    return True
                if stop_after <= 0:
                    return False
                stop_after -= 1
                number = rng.choice(sorted(todo))
                seed = todo[number].pop(rng.randrange(len(todo[number])))
                value = self.value(configs[number], seed)
                status = "failed" if value is None else "done"
                if value is not None and not math.isfinite(value):
                    status = "diverged"
                self.rows[number, seed] = row_of(number, seed, configs[number], value, status)
                hear(number, seed)
                settle(number)
        finally:
            study.close()
