"""From a command line to sound configurations, before a folder or a file is made.

Hydra composes, `Config` checks. Hydra's own refusals run over several lines, know no near key and
some come after it has made a folder, so what a user may write is looked at here first.
"""

import argparse
import contextlib
import re
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import version
from hydra.core.config_search_path import SearchPathQuery
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
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
)
from dqn.compose.overrides import refuse_wrong
from dqn.compose.traps import warn
from dqn.compose.value_source import naming_undecoded, refuse_misread
from dqn.config import Config
from dqn.config.config import KEYS, key_of
from dqn.config.familiar import advice_on_sweeper
from dqn.config.fields import closest_match
from dqn.config.interpolation import remember_literals, remember_secrets
from dqn.runtime.errors import UserError
from dqn.storage.format_version import refuse_unfit

VERSION_BASE = "1.3"
CONFIG_NAME = "config"
_STUDY = CONF / "hydra" / "sweeper" / "optuna.yaml"


def validate_command(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> list[Config]:
    """Compose and check all that `args`, of Hydra's own parser, asks of `task`: a `Config` a job.

    Raises `UserError`, one line, at the first thing that is wrong; leaves nothing on disk.
    """
    with one_line():
        loader = _loader(args, task)
        parsed = OverridesParser.create(loader).parse_overrides(args.overrides)
        for override in parsed:
            refuse_wrong(override, loader)
        name = args.config_name or CONFIG_NAME
        composed = _composed(loader, name, args.overrides)
        remember_secrets(_without_secrets(composed))
        refuse_calls(composed)
        many = args.multirun or composed.hydra.mode == RunMode.MULTIRUN
        if not many:
            for override in parsed:
                _refuse_sweep(override)
            composed = loader.load_configuration(name, args.overrides, RunMode.RUN)
        if isinstance(composed.get("name"), int):  # typed, it would stand in quotes by now
            refuse_misread("name", composed.name, loader, name, args.overrides)
        composer = Composer(loader, composed)
        configs = composer.grid() if many else [composer.run(composed)]

    from dqn.envs import (
        exclusive,  # imports Gymnasium: last, as it takes a while
        gymnasium_env,
    )

    limits = {}
    for config in configs:
        limits[config.env] = gymnasium_env.describe(config.env).max_episode_steps
        if many or config.seeds > 1:
            exclusive.is_exclusive(config)
    with one_line():
        _refuse_unwritable(composed, "hydra.sweep.dir" if many else "hydra.run.dir")
    if not many or composer.is_grid:  # a study's trials are not known yet
        warn(configs, limits)
    HydraConfig.instance().cfg = None
    return configs


def name_folder_by_time(now: datetime) -> None:
    """Let conf/config.yaml call the folder of results by `name`, or else by a time to the ms."""
    unnamed = f"{now:%Y-%m-%d_%H-%M-%S}.{now.microsecond // 1000:03d}"
    OmegaConf.register_new_resolver("name_or_time", lambda name: name or unnamed, replace=True)


def _loader(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> ConfigLoaderImpl:
    """Hydra's loader over the folders that `hydra.main` will search."""
    version.setbase(VERSION_BASE)
    setup_globals()
    caller = detect_calling_file_or_module_from_task_function(task)
    path = create_automatic_config_search_path(*caller, args.config_path or str(CONF))
    if args.config_dir is not None:
        folder = Path(args.config_dir).absolute()
        if not folder.is_dir():
            raise UserError(
                f"--config-dir must be a folder, got {args.config_dir}; write the path of one"
            )
        query = SearchPathQuery(provider="schema")
        path.prepend(provider="command-line", path=f"file://{folder}", anchor=query)
    return ConfigLoaderImpl(config_search_path=path)


def _composed(loader: ConfigLoaderImpl, name: str, overrides: Sequence[str]) -> DictConfig:
    """What Hydra makes of a command line that may hold sweeps."""
    try:
        with naming_undecoded(loader):
            return loader.load_configuration(
                name, list(overrides), RunMode.MULTIRUN, validate_sweep_overrides=False
            )
    except ConfigCompositionException as error:
        missing = re.match(r"Could not override '(hydra(?:\..+)?)\.([^.']+)'", str(error))
        if missing is None:
            raise
        parent, last = missing.groups()
        key = f"{parent}.{last}"
        got = next((word for word in overrides if word.startswith(f"{key}=")), key)
        others = _composed(loader, name, [word for word in overrides if word != got])
        advice = _advice(parent, last, others)
        advice = advice or "--hydra-help lists the flags, --cfg hydra the settings of Hydra's own"
    raise UserError(f"{key} is no setting here, got {got}; {advice}")


def _advice(parent: str, last: str, composed: DictConfig) -> str | None:
    """What to write instead of the setting `last` below `parent`, which is not there."""
    node, key = OmegaConf.select(composed, parent), f"{parent}.{last}"
    known = [str(name) for name in node] if isinstance(node, DictConfig) else []
    own = key.startswith("hydra.sweeper.")
    sweeper = composed.hydra.sweeper
    is_study = isinstance(sweeper, DictConfig) and "n_trials" in sweeper
    if own and (advice := advice_on_sweeper(key.removeprefix("hydra.sweeper."), is_study)):
        return advice
    if others := _of_another_file(parent, last):
        return f"it is of {' or '.join(others)}"
    if near := closest_match(last, known):
        return f"did you mean {parent}.{near}?"
    if not own:
        return _near_setting(key, composed)
    if is_study:
        return f"there are {', '.join(known)}" if known else None
    near = closest_match(last, re.findall(r"^(\w+):", _STUDY.read_text("utf-8"), re.MULTILINE))
    meant = "" if near in ("", last) else f"did you mean {parent}.{near}? "
    return f"{meant}if it is one of a study, add -m hydra/sweeper=optuna"


def _of_another_file(parent: str, last: str) -> list[str]:
    """The options of the group `parent`, a sampler's or a pruner's, that have the setting `last`.

    None of what is no such group.
    """
    folder = CONF / parent.replace(".", "/")
    if not parent.startswith("hydra.sweeper.") or not folder.is_dir():
        return []
    return [
        f"{parent.replace('.', '/')}={path.stem}"
        for path in sorted(folder.glob("*.yaml"))
        if re.search(rf"^{re.escape(last)}:", path.read_text("utf-8"), re.MULTILINE)
    ]


def _near_setting(key: str, composed: DictConfig) -> str | None:
    """The setting of Hydra's own that is most like `field`, whichever part of it is wrong."""
    node, words = composed.hydra, key.split(".")[1:]
    for place, word in enumerate(words):
        names = [str(name) for name in node] if isinstance(node, DictConfig) else []
        if word not in names:
            near = closest_match(word, names, 0.7)
            meant = ".".join(["hydra", *words[:place], near, *words[place + 1 :]])
            return near and f"did you mean {meant}?"
        node = node.get(word)
    return None


def remember_all(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> None:
    """Have no secret of a configuration shown that `args` ask Hydra to print, right or wrong."""
    with contextlib.suppress(Exception):  # Hydra says itself what is wrong, and prints nothing
        composed = _composed(_loader(args, task), args.config_name or CONFIG_NAME, args.overrides)
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
        raise UserError(
            f"{override.key_or_group} must be of a sweep, got {override.input_line} without one; "
            f"add -m"
        )
    if override.is_sweep_override():
        raise UserError(
            f"{override.key_or_group} must be one value, got {override.input_line}; "
            f"add -m to train them all (a list is written [32,32])"
        )


def _refuse_unwritable(composed: DictConfig, key: str) -> None:
    """Refuse a folder of results that cannot be made or written to, or holds what is not ours."""
    HydraConfig.instance().set_config(composed)
    text = str(OmegaConf.select(composed, key) or "")
    folder = Path(text).absolute()
    if text.startswith("~"):  # typed, it would have been written out by now
        raise UserError(
            f"{key} must be a path without ~ in a file or a variable, got {text}; write "
            f"${{oc.env:HOME}}{text[1:]}"
        )
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
        raise UserError(
            f"{key} must be a folder that can be written to, got "
            f"{text if text.isprintable() else repr(text)} "
            f"({error.strerror}); write {key}=PATH for another"
        ) from error
