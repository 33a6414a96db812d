"""What a study is asked for: the node `hydra.sweeper`, sound by itself and with its space."""

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from dqn.config import Config
from dqn.config.config import KEYS
from dqn.config.fields import override_text, short_repr, validate
from dqn.config.values import number_in, plain
from dqn.runtime.errors import UserError, must_be
from dqn.statistics.metrics import METRICS
from sweeps.search.options import SWEEPER, option, parts_of, unknown_setting
from sweeps.search.pruners import pruner
from sweeps.search.samplers import sampling
from sweeps.search.space import Space
from sweeps.search.storage_url import open_storage

_TERMS = {"env", "episodes", "steps", *(key for key in KEYS if key.startswith("env."))}
"""What must be the same for all trials that are validated."""
_METRICS = " | ".join(name for name, metric in METRICS.items() if metric.is_objective)


def _validate_options(settings: Any, where: str) -> None:
    """Put the fields of a frozen dataclass that are an `option` as their ranges have them."""
    for setting in fields(settings):
        if "key" in setting.metadata:
            name, value = setting.name, getattr(settings, setting.name)
            object.__setattr__(settings, name, validate(f"{where}.{name}", setting, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """What `hydra.sweeper.validate` may say of the validation that ends a study."""

    top: int = option(5, "trials", ">= 1", "the best of which are validated")
    seeds: int = option(50, "seeds", ">= 2", "that the study never used")

    def __post_init__(self) -> None:
        _validate_options(self, f"{SWEEPER}.validate")


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
    timeout: float | None = option(None, "seconds", "> 0", "of one command; null: no limit")
    validate: Validate | None = None
    sampler: Mapping[str, Any] = field(
        default_factory=lambda: {"_target_": "optuna.samplers.TPESampler"}
    )
    pruner: Mapping[str, Any] = field(
        default_factory=lambda: {"_target_": "optuna.pruners.NopPruner"}
    )

    def __post_init__(self) -> None:
        _refuse_duration(self.timeout)
        _validate_options(self, SWEEPER)
        rungs = _reals(self.rungs)
        _refuse_falling("rungs", (0.0, *rungs, 1.0), "fractions in (0, 1)", self.rungs, "0.25,0.5")
        object.__setattr__(self, "rungs", rungs)
        _refuse_falling("racing", self.racing or (), "numbers of seeds", self.racing, "3,10")

    @classmethod
    def from_mapping(
        cls, sweeper: Mapping[str, Any], name: str, written: Collection[str] = ()
    ) -> "Settings":
        """The settings of the node `hydra.sweeper` of a composed configuration.

        `written` are the keys that the command line sets: where a `_target_` takes the place of a
        file's, all else that the file says of its sampler or pruner is left out.
        """
        known = {setting.name for setting in fields(cls)} - {"name"}
        for word, value in sweeper.items():
            if word not in {*known, "_target_", "_recursive_", "params"}:
                raise unknown_setting(SWEEPER, word, value, "a study", known)
        values = {word: value for word, value in sweeper.items() if word in known}
        values |= parts_of(sweeper, written)
        return cls(name=name, **{**values, "validate": _validate(values.get("validate"))})


def refuse_unsound(
    settings: Settings, space: Space, base: Config, found: Iterable[Config] = ()
) -> None:
    """Refuse what `Study` would, but before there is a folder. Raises `UserError`, one line.

    `found` is what the groups and environments in `space` make: see `alternatives`. Of several
    tasks nothing may go by returns, which compare within one.
    """
    refuse_unfit(settings, base)
    samples = sampling(settings.sampler, space, base, settings.seed)
    _, by_seed = pruner(settings.pruner, settings.rungs)
    if settings.storage is not None:
        open_storage(settings.storage).engine.dispose()
    tasks = list(dict.fromkeys(config.env.id for config in found))
    sampler, pruned = (
        node["_target_"].split(".")[-1] for node in (settings.sampler, settings.pruner)
    )
    compared = [
        *[f"the sampler {sampler}"] * samples.learns,
        *[f"{SWEEPER}.racing"] * (len(settings.racing or ()) > 1),
        *[f"the pruner {pruned}"] * (by_seed is not None),
    ]
    if len(tasks) > 1 and compared:
        raise UserError(
            f"a study must be of one task for {' and '.join(compared)}, as returns of two tasks do "
            f"not compare, got {', '.join(tasks)}; write hydra/sweeper/sampler=random or grid "
            f"without racing and pruner, or search one task at a time"
        )
    varied = [name for name in space if name in _TERMS]
    if settings.validate and (varied or len(tasks) > 1):
        key, rule = f"{SWEEPER}.validate", "null where trials differ in environment or budget"
        got = f"{varied[0]} in the space" if varied else ", ".join(tasks)
        raise must_be(key, rule, got, f"write {key}=null")


def refuse_unfit(settings: Settings, base: Config) -> None:
    """Refuse settings that do not fit the seeds and the tests there are."""
    if settings.racing and settings.racing[-1] != base.seeds:
        race = f"[{-(-base.seeds // 3)},{base.seeds}]" if base.seeds > 2 else "null"
        raise must_be(
            f"{SWEEPER}.racing",
            f"a race that ends with seeds={base.seeds}",
            override_text(settings.racing),
            f"write seeds={settings.racing[-1]}, or for these seeds {SWEEPER}.racing={race}",
        )
    if settings.aggregate == "low" and (settings.racing or (base.seeds,))[0] < 2:
        rule = "iqm, mean or median of a single seed, which has no interval"
        advice = f"raise seeds, or the first of {SWEEPER}.racing"
        raise must_be(f"{SWEEPER}.aggregate", rule, "low", advice)
    if METRICS[settings.objective].of_test and not base.test_episodes:
        rule, advice = "of the training where test_episodes=0", "write test_episodes=20"
        raise must_be(f"{SWEEPER}.objective", rule, settings.objective, advice)


def _refuse_duration(value: Any) -> None:
    """Refuse a time that is no number with an example in seconds."""
    if isinstance(value, str) and number_in(value) is None and value != "null":
        key = f"{SWEEPER}.timeout"
        raise must_be(key, "a number of seconds > 0", short_repr(value), example=f"{key}=3600")


def _validate(value: Any) -> Validate | None:
    """The node `validate`; null and 0 are none."""
    if value is None or value == 0:
        return None
    known = {setting.name for setting in fields(Validate)}
    if not isinstance(value, Mapping) or not known.issuperset(value):
        key, rule = f"{SWEEPER}.validate", f"null or have {' and '.join(sorted(known))}"
        raise must_be(key, rule, short_repr(value), example=f"{key}={{top:5,seeds:50}}")
    return Validate(**value)


def _reals(values: Any) -> tuple[float, ...]:
    """The numbers of a list; NaN, which never rises, for anything else."""
    values = plain(values)
    try:
        texts = values if isinstance(values, list) else [None]
        return tuple(float(number_in(of) if isinstance(of, str) else of) for of in texts)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, OverflowError):
        return (math.nan,)


def _refuse_falling(
    name: str, values: Sequence[float], what: str, written: Any, example: str
) -> None:
    if not all(a < b for a, b in itertools.pairwise(values)):
        key, got = f"{SWEEPER}.{name}", override_text(written)
        raise must_be(key, f"a rising list of {what}", got, example=f"{key}=[{example}]")
