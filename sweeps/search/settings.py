"""What a study is asked for: the node `hydra.sweeper`, sound by itself and with its space."""

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from dqn.config import Config
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match, override_text, short_repr, validate
from dqn.config.values import number_in, plain
from dqn.runtime.errors import UserError
from dqn.statistics.metrics import METRICS
from sweeps.search.options import option, parts_of
from sweeps.search.pruners import pruner
from sweeps.search.samplers import sampling
from sweeps.search.space import Space
from sweeps.search.storage_url import open_storage

_METRICS = " | ".join(name for name, metric in METRICS.items() if metric.is_objective)


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """What `hydra.sweeper.validate` may say of the validation that ends a study."""

    top: int = option(5, "trials", ">= 1", "the best of which are validated")
    seeds: int = option(50, "seeds", ">= 2", "that the study never used")

    def __post_init__(self) -> None:
        for setting in fields(self):
            where = f"hydra.sweeper.validate.{setting.name}"
            value = validate(where, setting, getattr(self, setting.name))
            object.__setattr__(self, setting.name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of `hydra.sweeper`, each sound by itself. Raises `UserError`, one line."""

    name: str = option("study", "", "study name", "of the study in its storage")
    n_trials: int = option(100, "trials", ">= 1", "in all, those of earlier commands included")
    seed: int = option(0, "", ">= 0", "of the sampler")
    storage: str | None = option(None, "", "URL", "of Optuna; null: study.db in the folder")
    objective: str = option("mean_return", "", _METRICS, "the metric to search the best of")
    aggregate: str = option("iqm", "", "iqm | mean | median | low", "of it over the seeds")
    racing: tuple[int, ...] | None = option(None, "seeds", ">= 1", "of each stage; null: one")
    racing_keep: float = option(0.34, "share", "(0, 1]", "of the trials that a stage keeps")
    rungs: Sequence[float] = (0.25, 0.5, 0.75)
    parallel: int | None = option(None, "trials", ">= 1", "open at once; null: for 160 lanes")
    validate: Validate | None = None
    sampler: Mapping[str, Any] = field(
        default_factory=lambda: {"_target_": "optuna.samplers.TPESampler"}
    )
    pruner: Mapping[str, Any] = field(
        default_factory=lambda: {"_target_": "optuna.pruners.NopPruner"}
    )

    def __post_init__(self) -> None:
        for setting in fields(self):
            value, where = getattr(self, setting.name), f"hydra.sweeper.{setting.name}"
            if "key" in setting.metadata:
                object.__setattr__(self, setting.name, validate(where, setting, value))
            elif setting.name in ("sampler", "pruner") and not isinstance(value, Mapping):
                raise UserError(
                    f"{where} must be a mapping with a _target_, got {short_repr(value)}; choose "
                    "one "
                    f"with hydra/sweeper/{setting.name}="
                )
        rungs = _reals(self.rungs)
        if not _rising((0.0, *rungs, 1.0)):
            raise UserError(
                f"hydra.sweeper.rungs must be a rising list of fractions in (0, 1), got "
                f"{override_text(self.rungs)}; write for example hydra.sweeper.rungs=[0.25,0.5]"
            )
        object.__setattr__(self, "rungs", rungs)
        if self.racing is not None and not _rising(self.racing):
            raise UserError(
                f"hydra.sweeper.racing must be a rising list of numbers of seeds, got "
                f"{override_text(self.racing)}; write for example hydra.sweeper.racing=[3,10]"
            )

    @classmethod
    def from_mapping(
        cls, sweeper: Mapping[str, Any], name: str, written: Collection[str] = ()
    ) -> "Settings":
        """The settings of the node `hydra.sweeper` of a composed configuration.

        `written` are the keys that the command line sets: where a `_target_` takes the place of a
        file's, all else that the file says of its sampler or pruner is left out.
        """
        sweeper = {**sweeper, **parts_of(sweeper, written)}
        known = {setting.name for setting in fields(cls)} - {"name"}
        values = {word: value for word, value in sweeper.items() if word in known}
        for word, value in sweeper.items():
            if word not in {*known, "_target_", "_recursive_", "params"}:
                near = closest_match(override_text(word), known)
                advice = advice_on_sweeper(override_text(word)) or (
                    f"did you mean hydra.sweeper.{near}?" if near else "leave it out"
                )
                raise UserError(
                    f"hydra.sweeper.{override_text(word)} is no setting of a study, got "
                    f"{override_text(value)}; {advice}"
                )
        return cls(name=name, **{**values, "validate": _validate(values.get("validate"))})


def refuse_unsound(settings: Settings, space: Space, base: Config) -> None:
    """Refuse what `Study` would, but before there is a folder. Raises `UserError`, one line."""
    refuse_unfit(settings, base)
    sampling(settings.sampler, space, base, settings.seed)
    pruner(settings.pruner, settings.rungs)
    if settings.storage is not None:
        open_storage(settings.storage).engine.dispose()
    for name in space if settings.validate else ():
        of_env = name.partition(".")[0] == "env" and not name.startswith("env.kwargs.")
        if name in ("episodes", "steps") or of_env:
            raise UserError(
                "hydra.sweeper.validate must be null where trials differ in environment or "
                f"budget, got {name} in the space; write hydra.sweeper.validate=null"
            )


def refuse_unfit(settings: Settings, base: Config) -> None:
    """Refuse settings that do not fit the seeds and the tests there are."""
    if settings.racing and settings.racing[-1] != base.seeds:
        raise UserError(
            f"hydra.sweeper.racing must end with seeds={base.seeds}, got "
            f"{override_text(settings.racing)}; write seeds={settings.racing[-1]}, or for these "
            f"seeds hydra.sweeper.racing={_race_to(base.seeds)}"
        )
    if settings.aggregate == "low" and (settings.racing or (base.seeds,))[0] < 2:
        raise UserError(
            "hydra.sweeper.aggregate must be iqm, mean or median of a single seed, which has no "
            "interval, got low; raise seeds, or the first of hydra.sweeper.racing"
        )
    if METRICS[settings.objective].of_test and not base.test_episodes:
        raise UserError(
            f"hydra.sweeper.objective must not be {settings.objective} with test_episodes=0; "
            "write test_episodes=20"
        )


def _race_to(seeds: int) -> str:
    """A race that ends with so many seeds; none with few."""
    return f"[{-(-seeds // 3)},{seeds}]" if seeds > 2 else "null"


def _validate(value: Any) -> Validate | None:
    """The node `validate`; null and 0 are none."""
    if value is None or value == 0:
        return None
    known = {setting.name for setting in fields(Validate)}
    if not isinstance(value, Mapping) or not known.issuperset(value):
        raise UserError(
            f"hydra.sweeper.validate must be null or have {' and '.join(sorted(known))}, got "
            f"{short_repr(value)}; write for example hydra.sweeper.validate={{top:5,seeds:50}}"
        )
    return Validate(**value)


def _reals(values: Any) -> tuple[float, ...]:
    """The numbers of a list; NaN, which never rises, for anything else."""
    values = plain(values)
    if not isinstance(values, list):
        return (math.nan,)
    return tuple(map(_real, values))


def _real(value: Any) -> float:
    number = number_in(value) if isinstance(value, str) else plain(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return math.nan
    return float(number)


def _rising(values: Sequence[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))
