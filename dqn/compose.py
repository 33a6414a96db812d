"""From a command line to sound configurations, before a folder or a file is made.

Hydra composes, `Config` checks. Hydra's own refusals run over several lines, know no near key and
some come after it has made a folder, so what a user may write is looked at here first.
"""

import argparse
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import (
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
)
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dqn.composer import Composer, one_line
from dqn.config import Config
from dqn.errors import UserError
from dqn.help import CONF
from dqn.overrides import refuse_wrong
from dqn.results.format import refuse_unfit
from dqn.schema import nearest
from dqn.trust import refuse_calls

VERSION_BASE = "1.3"
CONFIG_NAME = "config"


def plan(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> list[Config]:
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
        refuse_calls(composed)
        many = args.multirun or composed.hydra.mode == RunMode.MULTIRUN
        if not many:
            for override in parsed:
                _refuse_sweep(override)
            composed = loader.load_configuration(name, args.overrides, RunMode.RUN)
        composer = Composer(loader, composed)
        configs = composer.grid() if many else [composer.checked(composed)]

    from dqn.envs import exclusive, host  # imports Gymnasium: last, as it takes a while

    for config in configs:
        host.describe(config.env)
        if many or config.seeds > 1:
            exclusive.is_alone(config)
    with one_line():
        _refuse_unwritable(composed, "hydra.sweep.dir" if many else "hydra.run.dir")
    HydraConfig.instance().cfg = None
    return configs


def name_folder_by_time(now: datetime) -> None:
    """Let conf/config.yaml call the folder of results by `name`, or else by a time to the ms."""
    unnamed = f"{now:%Y-%m-%d_%H-%M-%S}.{now.microsecond // 1000:03d}"
    OmegaConf.register_new_resolver("name_or_time", lambda name: name or unnamed, replace=True)


def again(settings: Any) -> str:
    """The command that goes on in the folder of this one's; `settings` is the node hydra."""
    arguments = sys.argv[1:]
    many = settings.mode == RunMode.MULTIRUN
    key, folder = (
        ("hydra.sweep.dir", settings.sweep.dir) if many else ("hydra.run.dir", settings.run.dir)
    )
    named = any(word.startswith((f"{key}=", "name=")) for word in arguments)
    return shlex.join(
        ["python", "-m", "dqn.run", *arguments, *([] if named else [f"{key}={folder}"])]
    )


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
                f"--config-dir must be a folder, met {args.config_dir}; write the path of one"
            )
        query = SearchPathQuery(provider="schema")
        path.prepend(provider="command-line", path=f"file://{folder}", anchor=query)
    return ConfigLoaderImpl(config_search_path=path)


def _composed(loader: ConfigLoaderImpl, name: str, overrides: Sequence[str]) -> DictConfig:
    """What Hydra makes of a command line that may hold sweeps."""
    try:
        return loader.load_configuration(
            name, list(overrides), RunMode.MULTIRUN, validate_sweep_overrides=False
        )
    except ConfigCompositionException as error:
        missing = re.match(r"Could not override '(hydra\..+)\.([^.']+)'", str(error))
        if missing is None:
            raise
        parent, last = missing.groups()
        met = next(text for text in overrides if text.startswith(f"{parent}.{last}="))
        node = OmegaConf.select(
            _composed(loader, name, [text for text in overrides if text != met]), parent
        )
        near = nearest(last, map(str, node)) if isinstance(node, DictConfig) else None
        if near:
            advice = f"did you mean {parent}.{near}?"
        elif parent == "hydra.sweeper":
            advice = "if it is one of a study, add -m hydra/sweeper=optuna"
        else:
            raise
    raise UserError(f"{parent}.{last} is no setting here, met {met}; {advice}")


def _refuse_sweep(override: Override) -> None:
    if str(override.key_or_group).startswith(("hydra/sweeper", "hydra.sweeper")):
        raise UserError(
            f"{override.key_or_group} must be of a sweep, met {override.input_line} without one; "
            f"add -m"
        )
    if override.is_sweep_override():
        raise UserError(
            f"{override.key_or_group} must be one value, met {override.input_line}; "
            f"add -m to train them all (a list is written [32,32])"
        )


def _refuse_unwritable(composed: DictConfig, key: str) -> None:
    """Refuse a folder of results that cannot be made or written to, or holds what is not ours."""
    HydraConfig.instance().set_config(composed)
    text = str(OmegaConf.select(composed, key) or "")
    folder = Path(text).absolute()
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
            f"{key} must be a folder that can be written to, met "
            f"{text if text.isprintable() else repr(text)} "
            f"({error.strerror}); write {key}=PATH for another"
        ) from error
