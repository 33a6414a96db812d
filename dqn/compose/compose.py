"""From a command line to sound configurations, before a folder or a file is made.

Hydra composes, `Config` checks. Hydra's own refusals run over several lines, know no near key and
some come after it has made a folder, so what a user may write is looked at here first.
"""

import argparse
import contextlib
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import version
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dqn.compose.allowlist import refuse_calls
from dqn.compose.fast_compose import Composer, own_keys
from dqn.compose.help_page import CONF
from dqn.compose.hydra_errors import one_line
from dqn.compose.hydra_private import (
    ConfigLoaderImpl,
    Hydra,
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
    detect_task_name,
)
from dqn.compose.overrides import refuse_wrong
from dqn.compose.setting_advice import advice_on_setting
from dqn.compose.value_source import naming_undecoded, refuse_misread
from dqn.config import Config
from dqn.config.config import KEYS, key_of
from dqn.config.interpolation import remember_literals, remember_secrets
from dqn.runtime.errors import must_be, only_for, unknown_key
from dqn.storage.format_version import refuse_unfit

VERSION_BASE = "1.3"
CONFIG_NAME = "config"


@dataclass(frozen=True)
class Command:
    """A command line that is composed and checked: what it trains, and Hydra ready to run it."""

    configs: list[Config]
    """One a job; of a study the base alone, as its trials are not known yet."""
    is_study: bool
    _hydra: Hydra
    _name: str
    _overrides: list[str]
    _mode: RunMode

    def run(self, task: Callable[[DictConfig], Any]) -> None:
        """Have Hydra make the folder and call `task`, or its sweeper call ours."""
        run = self._hydra.multirun if self._mode == RunMode.MULTIRUN else self._hydra.run
        GlobalHydra.instance().initialize(self._hydra)
        try:
            run(self._name, task, self._overrides)
        finally:
            GlobalHydra.instance().clear()


class _Loader(ConfigLoaderImpl):
    """Hydra's loader, which composes a command once: Hydra asks for it again when it runs it."""

    def __init__(self, path: ConfigSearchPath):
        super().__init__(path)
        self._known: tuple[str, list[str], DictConfig] | None = None

    def remember(self, name: str, overrides: list[str], composed: DictConfig) -> None:
        """Give this configuration when these overrides are composed again."""
        self._known = name, overrides, composed

    def load_configuration(self, config_name, overrides, *others, **options) -> DictConfig:
        """As Hydra's."""
        if self._known is not None and self._known[:2] == (config_name, list(overrides)):
            return self._known[2]
        return super().load_configuration(config_name, overrides, *others, **options)


def validate_command(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> Command:
    """Compose and check all that `args`, of Hydra's own parser, asks of `task`.

    Whether its environments can be made is not asked. Raises `UserError`, one line, at the first
    thing that is wrong; leaves nothing on disk.
    """
    with one_line():
        hydra = _hydra(args, task)
        loader: Any = hydra.config_loader
        parsed = OverridesParser.create(loader).parse_overrides(args.overrides)
        for override in parsed:
            refuse_wrong(override, loader)
        name = args.config_name or CONFIG_NAME
        overrides = [*args.overrides, *(["hydra.mode=MULTIRUN"] if args.multirun else [])]
        composed = _composed(loader, name, overrides, args.multirun)
        remember_secrets(_without_secrets(composed))
        refuse_calls(composed)
        many = composed.hydra.mode == RunMode.MULTIRUN
        if not many:
            for override in parsed:
                _refuse_sweep(override)
            if composed.hydra.mode is None:  # as Hydra does where it is asked for a run
                composed.hydra.mode = RunMode.RUN
                composed.hydra.overrides.hydra.append("hydra.mode=RUN")
        if isinstance(composed.get("name"), int):  # typed, it would stand in quotes by now
            refuse_misread("name", composed.name, loader, name, args.overrides)
        composer = Composer(loader, composed)
        configs = composer.grid() if many else [composer.run(composed)]
        _refuse_unwritable(composed, "hydra.sweep.dir" if many else "hydra.run.dir")
    HydraConfig.instance().cfg = None
    loader.remember(name, overrides, composed)
    is_study = many and not composer.is_grid
    return Command(configs, is_study, hydra, name, overrides, composed.hydra.mode)


def name_folder_by_time(now: datetime) -> None:
    """Let conf/config.yaml call the folder of results by `name`, or else by a time to the ms."""
    unnamed = f"{now:%Y-%m-%d_%H-%M-%S}.{now.microsecond // 1000:03d}"
    OmegaConf.register_new_resolver("name_or_time", lambda name: name or unnamed, replace=True)


def _hydra(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> Hydra:
    """Hydra with a loader over the folders that `hydra.main` would search."""
    version.setbase(VERSION_BASE)
    setup_globals()
    caller = detect_calling_file_or_module_from_task_function(task)
    path = create_automatic_config_search_path(*caller, args.config_path or str(CONF))
    if args.config_dir is not None:
        folder = Path(args.config_dir).absolute()
        if not folder.is_dir():
            raise must_be("--config-dir", "a folder", args.config_dir, "write the path of one")
        query = SearchPathQuery(provider="schema")
        path.prepend(provider="command-line", path=f"file://{folder}", anchor=query)
    return Hydra(detect_task_name(*caller), _Loader(path))


def _composed(
    loader: ConfigLoaderImpl, name: str, overrides: Sequence[str], many: bool
) -> DictConfig:
    """What Hydra makes of a command line that may hold sweeps.

    A run and a sweep are composed alike, but that a sweep may leave open what its jobs choose.
    """
    mode = RunMode.MULTIRUN if many else RunMode.RUN
    try:
        with naming_undecoded(loader):
            return loader.load_configuration(
                name, list(overrides), mode, validate_sweep_overrides=False
            )
    except ConfigCompositionException as error:
        if not many:
            with contextlib.suppress(Exception):  # a sweep without -m, as sweep=tune makes one
                composed = _composed(loader, name, overrides, many=True)
                if composed.hydra.mode == RunMode.MULTIRUN:
                    return composed
        missing = re.match(r"Could not override '(hydra(?:\..+)?)\.([^.']+)'", str(error))
        if missing is None:
            raise
        parent, last = missing.groups()
        key = f"{parent}.{last}"
        got = next((word for word in overrides if word.startswith(f"{key}=")), key)
        others = _composed(loader, name, [word for word in overrides if word != got], many)
        advice = advice_on_setting(parent, last, others)
        advice = advice or "--hydra-help lists the flags, --cfg hydra Hydra's own settings"
    raise unknown_key(key, got, advice)


def remember_all(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> None:
    """Have no secret of a configuration shown that `args` ask Hydra to print, right or wrong."""
    with contextlib.suppress(Exception):  # Hydra says itself what is wrong, and prints nothing
        loader: Any = _hydra(args, task).config_loader
        composed = _composed(loader, args.config_name or CONFIG_NAME, args.overrides, many=True)
        remember_secrets(_without_secrets(composed))
        remember_literals(OmegaConf.to_container(composed.env, resolve=False))


def _without_secrets(composed: DictConfig) -> list[Any]:
    """All that may name a secret: not the name and the folders of results, which are shown."""
    shown = {"name", *(key for key, setting in KEYS.items() if key_of(setting).choices)}
    own = OmegaConf.masked_copy(
        own_keys(composed), [str(key) for key in composed if key not in shown]
    )
    sweeper = composed.hydra.sweeper
    nodes = [own, *([sweeper] if OmegaConf.is_config(sweeper) else [])]
    return [OmegaConf.to_container(node, resolve=False) for node in nodes]


def _refuse_sweep(override: Override) -> None:
    if str(override.key_or_group).startswith(("hydra/sweeper", "hydra.sweeper")):
        raise only_for(str(override.key_or_group), "sweeps", "add -m", override.value())
    if override.is_sweep_override():
        advice = "add -m to train them all (a list is written [32,32])"
        raise must_be(str(override.key_or_group), "one value", override.input_line, advice)


def _refuse_unwritable(composed: DictConfig, key: str) -> None:
    """Refuse a folder of results that cannot be made or written to, or holds what is not ours."""
    HydraConfig.instance().set_config(composed)
    text = str(OmegaConf.select(composed, key) or "")
    folder = Path(text).absolute()
    if text.startswith("~"):  # typed, it would have been written out by now
        rule, advice = (
            "a path without ~ in a file or a variable",
            f"write ${{oc.env:HOME}}{text[1:]}",
        )
        raise must_be(key, rule, text, advice)
    try:
        if not text:
            raise NotADirectoryError(0, "no path")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there):
            pass
        many = key == "hydra.sweep.dir"
        node: Any = OmegaConf.to_container(composed.hydra)
        refuse_unfit(
            folder,
            key,
            also=["study.db"] if many and node["sweeper"].get("storage", "") is None else [],
            hydra=".hydra" if many else node["output_subdir"],
        )
    except OSError as error:
        got = f"{text if text.isprintable() else repr(text)} ({error.strerror})"
        advice = f"write {key}=PATH for another"
        raise must_be(key, "a folder that can be written to", got, advice, value=text) from error
