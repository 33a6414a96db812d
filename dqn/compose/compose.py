"""From a command line to sound configurations, before a folder or a file is made.

Hydra composes, `Config` checks. Hydra's own refusals run over several lines, know no near key and
some come after it has made a folder, so what a user may write is looked at here first.
"""

import argparse
import contextlib
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf

from dqn.compose import completion
from dqn.compose.allowlist import refuse_calls
from dqn.compose.fast_compose import Composer
from dqn.compose.help_page import CONF
from dqn.compose.hydra_errors import one_line
from dqn.compose.hydra_private import ConfigLoaderImpl, get_args_parser, hydra_for, run_hydra
from dqn.compose.overrides import advice_on_setting, refuse_wrong
from dqn.compose.value_source import composed_files, refuse_misread
from dqn.config import Config
from dqn.config.config import KEYS, choices_of
from dqn.config.interpolation import literals
from dqn.runtime.errors import must_be, only_for, unknown_key
from dqn.runtime.secrets import remember, remember_secrets
from dqn.storage.format_version import refuse_unfit

VERSION_BASE = "1.3"
CONFIG_NAME = "config"


@dataclass(frozen=True)
class Command:
    """A command line that is composed and checked: what it trains, and Hydra ready to run it."""

    configs: list[Config]
    """One a job; of a study the base alone, as its trials are not known yet."""
    is_sweep: bool
    is_study: bool
    folder: Path
    """Where its results go."""
    run: Callable[[], None]
    """Have Hydra make the folder and call the task, or its sweeper call ours."""
    composer: Composer
    """What the configurations come from."""


def validate_command(args: argparse.Namespace, task: TaskFunction) -> Command:
    """Compose and check all that `args`, of Hydra's own parser, asks of `task`.

    Whether its environments can be made is not asked. Raises `UserError`, one line, at the first
    thing that is wrong; leaves nothing on disk.
    """
    with one_line():
        version.setbase(VERSION_BASE)
        hydra, loader = hydra_for(args, task, CONF)
        parsed = OverridesParser.create(loader).parse_overrides(args.overrides)
        for override in parsed:
            refuse_wrong(override, loader)
        name = args.config_name or CONFIG_NAME
        overrides = [*args.overrides, *(["hydra.mode=MULTIRUN"] if args.multirun else [])]
        composed = _composed(loader, name, overrides, args.multirun)
        _remember_secrets(composed)
        refuse_calls(composed)
        many = composed.hydra.mode == RunMode.MULTIRUN
        if not many:
            _refuse_sweeps(parsed)
            if composed.hydra.mode is None:  # as Hydra does where it is asked for a run
                composed.hydra.mode = RunMode.RUN
                composed.hydra.overrides.hydra.append("hydra.mode=RUN")
        if isinstance(composed.get("name"), int):  # typed, it would stand in quotes by now
            refuse_misread("name", composed.name, composed_files(loader, name, args.overrides))
        composer = Composer(loader, composed)
        configs = composer.grid() if many else [composer.run()]
        folder = _refuse_unwritable(composed, many)
    HydraConfig.instance().cfg = None
    loader.known = name, overrides, composed

    def run() -> None:
        GlobalHydra.instance().initialize(hydra)
        try:
            (hydra.multirun if many else hydra.run)(name, task, overrides)
        finally:
            GlobalHydra.instance().clear()

    return Command(configs, many, many and not composer.is_grid, folder, run, composer)


@contextlib.contextmanager
def composed_words(words: Sequence[str], many: bool) -> Iterator[Command]:
    """The checked command of overrides that are `key=value`; `many` is the flag -m of a sweep.

    Raises as `validate_command`. Hydra is not to run it: that would change the logging of whoever
    called this, and write before the folder is known to be free. What Hydra has in this process is
    afterwards as it was.
    """

    def task(composed: DictConfig) -> None:
        raise AssertionError

    name_folder_by_time(datetime.now())
    before = HydraConfig.instance().cfg
    try:
        args = get_args_parser().parse_args([*["-m"] * many, *words])
        yield validate_command(args, task)
    finally:
        HydraConfig.instance().cfg = before


def show(args: argparse.Namespace, parser: argparse.ArgumentParser, task: TaskFunction) -> None:
    """Have Hydra print what its own flags ask for; `hidden` then knows every secret in it."""
    version.setbase(VERSION_BASE)
    if args.shell_completion and (shell := completion.queried(args.overrides)):
        _, loader = hydra_for(args, task, CONF)
        print(completion.answer(shell, loader, args.config_name or CONFIG_NAME))
        return
    if args.cfg or args.info:
        with contextlib.suppress(Exception):  # Hydra says itself what is wrong, and prints nothing
            _, loader = hydra_for(args, task, CONF)
            composed = _composed(loader, args.config_name or CONFIG_NAME, args.overrides, many=True)
            _remember_secrets(composed)
            for _, text in literals(OmegaConf.to_container(composed.env, resolve=False), ""):
                remember(text)
    run_hydra(args, parser, task, str(CONF), CONFIG_NAME)


def name_folder_by_time(now: datetime) -> None:
    """Let conf/config.yaml call the folder of results by `name`, or else by a time to the ms."""
    unnamed = f"{now:%Y-%m-%d_%H-%M-%S}.{now.microsecond // 1000:03d}"
    OmegaConf.register_new_resolver("name_or_time", lambda name: name or unnamed, replace=True)


def _composed(
    loader: ConfigLoaderImpl, name: str, overrides: Sequence[str], many: bool
) -> DictConfig:
    """What Hydra makes of a command line; a sweep may leave open what its jobs choose."""
    mode = RunMode.MULTIRUN if many else RunMode.RUN
    try:
        words = list(overrides)
        return loader.load_configuration(name, words, mode, validate_sweep_overrides=False)
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


def _remember_secrets(composed: DictConfig) -> None:
    """Have `hidden` leave out all that may be a secret: not the name and folders of results."""
    shown = {"hydra", "name", *(key for key in KEYS if choices_of(key))}
    keys = OmegaConf.masked_copy(composed, [str(key) for key in composed if key not in shown])
    for node in (keys, composed.hydra.sweeper):
        if OmegaConf.is_config(node):
            remember_secrets(OmegaConf.to_container(node, resolve=False))


def _refuse_sweeps(overrides: Sequence[Override]) -> None:
    for override in overrides:
        key = str(override.key_or_group)
        if key.startswith(("hydra/sweeper", "hydra.sweeper")):
            raise only_for(key, "sweeps", "add -m", override.value())
        if override.is_sweep_override():
            advice = "add -m to train them all (a list is written [32,32])"
            raise must_be(key, "one value", override.input_line, advice)


def _refuse_unwritable(composed: DictConfig, many: bool) -> Path:
    """The folder of results; refuse one that cannot be written to, or holds what is not ours."""
    HydraConfig.instance().set_config(composed)
    key = "hydra.sweep.dir" if many else "hydra.run.dir"
    text = str(OmegaConf.select(composed, key) or "")
    folder = Path(text).absolute()
    if text.startswith("~"):  # typed, it would have been written out by now
        rule, advice = "a path without ~ in a file or a variable", f"${{oc.env:HOME}}{text[1:]}"
        raise must_be(key, rule, text, f"write {advice}")
    try:
        if not text:
            raise NotADirectoryError(0, "no path")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there):
            pass
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
    return folder
