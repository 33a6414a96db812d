"""From override texts (lr=0.001, preset=scaled) to `Config`s, many of them fast.

Composing takes Hydra 80 ms, so it is done once for each choice of groups; plain keys are then set
on what came out, in 0.1 ms. Only interpolations (lr='${gamma}') need composing again.
"""

import copy
import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from dqn.compose.help_page import default_groups
from dqn.compose.hydra_errors import one_line
from dqn.compose.hydra_private import ConfigLoaderImpl
from dqn.compose.overrides import fixed, jobs_of, options_of, refuse_vast, refuse_wrong, sweep_texts
from dqn.compose.value_source import composed_files, file_that_sets, refuse_without_package
from dqn.config import Config
from dqn.config.env_config import refuse_dotted
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import override_text
from dqn.config.interpolation import escaped, refuse_literal
from dqn.runtime.errors import UserError, first_line, must_be, unknown_key


class Composer:
    """Makes the `Config` of any job of one command, whose composed configuration is `composed`.

    Its methods raise `UserError`, one line, for what the user wrote wrong.
    """

    def __init__(self, loader: ConfigLoaderImpl, composed: DictConfig):
        self.loader, self.composed = loader, composed
        self.parser = OverridesParser.create(loader)
        given: Any = OmegaConf.to_container(composed.hydra.overrides, resolve=False)
        self._task, self._hydra = given["task"], given["hydra"]
        self._name = composed.hydra.job.config_name
        self._parsed: dict[str, Override] = {}
        self._bases: dict[tuple[str, ...], tuple[DictConfig, str | None, dict | None]] = {}

    @property
    def is_grid(self) -> bool:
        """Whether Hydra's basic sweeper, or ours in its place, makes the jobs."""
        sweeper = self.composed.hydra.sweeper
        return "params" in sweeper and "max_batch_size" in sweeper

    def run(self) -> Config:
        """The configuration of the one job of a command without sweeps."""
        with self._naming_files(self._task):
            return self._whole(self.composed)

    def grid(self) -> list[Config]:
        """Every job of a grid, checked; of a sweeper that names its jobs later, the base alone."""
        if not self.is_grid:
            return [self.config(fixed(map(self._override, self._task)))]
        configs = []
        for number, job in enumerate(self.jobs()):
            try:
                configs.append(self.config(job))
            except UserError as error:
                raise error.followed_by(f" (job {number}: {' '.join(job)})") from error
        return configs

    def jobs(self) -> list[list[str]]:
        """The overrides of every job of a grid."""
        sweeper = self.composed.hydra.sweeper
        for name, value in sweeper.items():
            if name not in ("_target_", "max_batch_size", "params"):  # added with a +
                known = advice_on_sweeper(str(name), is_study=False)
                advice = known or "if it belongs to a study, add hydra/sweeper=optuna"
                got = f"hydra.sweeper.{name}={override_text(value)}, for a grid"
                raise unknown_key(f"hydra.sweeper.{name}", got, advice, value)
        params = sweep_texts(settings_of(sweeper).get("params") or {})
        overrides = [self._override(text) for text in (*params, *self._task)]  # the last win
        refuse_vast(overrides)
        for override in overrides:
            if override.is_sweep_override() and not override.is_discrete_sweep():
                key, advice = str(override.key_or_group), "add hydra/sweeper=optuna to search it"
                raise must_be(key, "a list of values in a grid", override.input_line, advice)
        if (got := sweeper.max_batch_size) is not None:
            advice = "leave it out: all trials train together"
            raise must_be("hydra.sweeper.max_batch_size", "null", got, advice)
        return jobs_of(overrides)

    def config(self, job: Sequence[str]) -> Config:
        """The configuration of one job, given by all of its overrides."""
        known = _known(self.loader)
        if tuple(job) not in known:
            with self._naming_files(job):
                known[tuple(job)] = self._composed(job, {})
        return known[tuple(job)]

    def sampled(self, job: Sequence[str], numbers: Mapping[str, float]) -> Config:
        """The configuration of a study's trial: its overrides, then `numbers` by key.

        It is not remembered: there may be thousands.
        """
        with self._naming_files([*job, *(f"{name}=" for name in numbers)]):
            return self._composed(job, numbers)

    def _composed(self, job: Sequence[str], sampled: Mapping[str, float]) -> Config:
        with one_line():
            overrides = [self._override(text) for text in job]
            groups = [bool(options_of(self.loader, one.key_or_group)) for one in overrides]
            base, choice, values = self._base(tuple(itertools.compress(job, groups)))
            keys = [one for one, is_group in zip(overrides, groups, strict=True) if not is_group]
            if values is None or any("${" in str(key.value()) for key in keys):
                composed = copy.deepcopy(base)
                texts = (f"++{name}={override_text(value)}" for name, value in sampled.items())
                keys += map(self._override, texts)
                ConfigLoaderImpl._apply_overrides_to_config(keys, composed)
                return self._whole(composed)
            pairs = [(key.key_or_group, key.value()) for key in keys]
            for name, value in (*pairs, *sampled.items()):  # of a key given twice the last counts
                values = _with(values, name.split("."), value)
            return self._config_of(values, choice)

    def _whole(self, composed: DictConfig) -> Config:
        """The configuration of one composed job."""
        return self._config_of(_values_of(composed), composed.hydra.runtime.choices.get("env"))

    def _config_of(self, values: dict[str, Any], choice: str | None) -> Config:
        """Refuse, too, an id that would train with the limits of another environment `choice`."""
        env, own = values.get("env"), _env_option(self.loader, choice)
        if own is not None and isinstance(env, dict) and own["id"] != env.get("id"):
            limits = ("max_episode_steps", "solved_return")
            if borrowed := [key for key in limits if env.get(key) == own.get(key) is not None]:
                rule = f"{own['id']} with env={choice}, which sets its {' and '.join(borrowed)}"
                advice = f"write env=gymnasium env.id={env.get('id')}"
                raise must_be("env.id", rule, env.get("id"), advice)
        config = Config.from_mapping(values)
        refuse_literal(config.env.kwargs, "env.kwargs")
        return config

    @contextmanager
    def _naming_files(self, job: Sequence[str]) -> Iterator[None]:
        """Add to a refusal the user's own file that sets the key, where no override does."""
        try:
            yield
        except UserError as error:
            key = error.key.partition(" ")[0]  # of "episodes or steps" the first
            words = (*job, *self._task)
            is_typed = any(word.lstrip("+").startswith(f"{key}=") for word in words)
            if not key or (is_typed and key not in default_groups()):
                raise
            files = composed_files(self.loader, self._name, [*self._hydra, *job])
            refuse_without_package(key, files)
            if is_typed or (file := file_that_sets(key, files)) is None:
                raise
            raise error.followed_by(f" (in {file})") from error

    def _override(self, text: str) -> Override:
        """What Hydra reads `text` as; it takes 0.3 ms."""
        if text not in self._parsed:
            (self._parsed[text],) = self.parser.parse_overrides([text])
            refuse_wrong(self._parsed[text], self.loader)
        return self._parsed[text]

    def _base(self, groups: tuple[str, ...]) -> tuple[DictConfig, str | None, dict | None]:
        """What `groups` make, its option of the group env, its values if none needs another."""
        if groups not in self._bases:
            words = [*self._hydra, *groups]
            base = self.loader.load_configuration(self._name, words, RunMode.RUN)
            tied = "${" in OmegaConf.to_yaml(own_keys(base), resolve=False)
            choice = base.hydra.runtime.choices.get("env")
            self._bases[groups] = base, choice, None if tied else _values_of(base)
        return self._bases[groups]


@functools.cache
def _known(loader: ConfigLoaderImpl) -> dict[tuple[str, ...], Config]:
    """By overrides: a grid's jobs are checked, and then asked for again by Hydra."""
    return {}


@functools.cache
def _env_option(loader: ConfigLoaderImpl, choice: str | None) -> dict | None:
    """What one option of the group env says, or None without a file."""
    found = choice and loader.repository.load_config(f"env/{choice}")
    values: Any = OmegaConf.to_container(found.config) if found else None
    return values


def own_keys(composed: DictConfig) -> DictConfig:
    """What is composed, without Hydra's own node."""
    return OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])


def _values_of(composed: DictConfig) -> dict[str, Any]:
    """The values of one composed job, nested, interpolations resolved.

    But for `${oc.env:VAR}` among the arguments of the environment and in `ray_address`, which stay
    as written: a secret may stand behind them.
    """
    HydraConfig.instance().set_config(composed)  # for ${hydra:...}
    raw: Any = OmegaConf.to_container(own_keys(composed), resolve=False)
    for name, value in raw.items():
        if "." in str(name):
            refuse_dotted(str(name), value)
    env = raw.get("env")
    if isinstance(env, dict) and "kwargs" in env:
        env["kwargs"] = escaped(env["kwargs"])
    raw["ray_address"] = escaped(raw.get("ray_address"))
    try:
        return OmegaConf.to_container(OmegaConf.create(raw), resolve=True)  # pyright: ignore[reportReturnType]
    except OmegaConfBaseException as error:
        raise UserError(
            f"{error.full_key} cannot be resolved ({first_line(error)}); "
            "write a value, ${KEY} for another key's, or ${oc.env:VAR,DEFAULT}",
            str(error.full_key),
        ) from error


def settings_of(sweeper: DictConfig) -> dict[str, Any]:
    """The settings below `hydra.sweeper`, interpolations resolved.

    But for `${oc.env:VAR}` in the `params` for arguments of the environment, which stay.
    """
    sweeper = copy.deepcopy(sweeper)
    params: Any = sweeper.get("params")
    if isinstance(params, DictConfig):
        params = OmegaConf.to_container(params, resolve=False)
        kept = {name for name in params if str(name).lstrip("+").startswith("env.kwargs")}
        with flag_override(sweeper, ["readonly", "struct"], False):
            sweeper.params = {n: escaped(v) if n in kept else v for n, v in params.items()}
    return OmegaConf.to_container(sweeper, resolve=True)  # pyright: ignore[reportReturnType]


def _with(values: dict, path: Sequence[str], value: object) -> dict:
    """`values` with one plain key set, as Hydra would; what it does not touch is shared."""
    name, *inner = path
    return {**values, name: _with(values.get(name, {}), inner, value) if inner else value}
