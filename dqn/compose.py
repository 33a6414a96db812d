"""From a command line to sound configurations, before a folder or a file is made.

Hydra composes, `Config` checks. Hydra's own refusals run over several lines, know no near key and
some come after it has made a folder, so what a user may write is looked at here first.
"""

import argparse
import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import (
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
)
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import setup_globals
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dqn.config import KEYS, Config, refuse_unknown
from dqn.errors import RunError, UserError
from dqn.help import CONF, default_groups
from dqn.schema import nearest, override_text

VERSION_BASE = "1.3"
CONFIG_NAME = "config"


def plan(args: argparse.Namespace, task: Callable[[DictConfig], Any]) -> list[Config]:
    """Compose and check all that `args`, of Hydra's own parser, asks of `task`: a `Config` a job.

    Raises `UserError`, one line, at the first thing that is wrong; leaves nothing on disk.
    """
    many = args.multirun or "hydra.mode=MULTIRUN" in args.overrides
    with one_line():
        loader = _loader(args, task)
        parser = OverridesParser.create(loader)
        for override in parser.parse_overrides(args.overrides):
            _refuse_wrong(override, loader)
            if override.is_sweep_override() and not many:
                raise UserError(
                    f"{override.key_or_group} must be one value, met {override.input_line}; "
                    f"add -m to train them all (a list is written [32,32])"
                )
        mode = RunMode.MULTIRUN if many else RunMode.RUN
        composed = loader.load_configuration(args.config_name or CONFIG_NAME, args.overrides, mode)
        configs = _grid(composed, loader, parser) if many else [_checked(composed, loader)]

    from dqn.envs.host import describe  # imports Gymnasium: last, as it takes a while

    for env in {config.env: None for config in configs}:
        describe(env)
    with one_line():
        _refuse_unwritable(composed, "hydra.sweep.dir" if many else "hydra.run.dir")
    HydraConfig.instance().cfg = None
    return configs


def name_folder_by_time(now: datetime) -> None:
    """Let conf/config.yaml call the folder of results by `name`, or else by a time to the ms."""
    unnamed = f"{now:%Y-%m-%d_%H-%M-%S}.{now.microsecond // 1000:03d}"
    OmegaConf.register_new_resolver("name_or_time", lambda name: name or unnamed, replace=True)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what Hydra and OmegaConf refuse into a `UserError` of one line."""
    try:
        yield
    except OverrideParseException as error:
        told = [line for line in str(error).splitlines() if not line.startswith("Error parsing")]
        reason = "a character that must stand in quotes" if told[0][:5] == "Lexer" else told[0]
        raise UserError(
            f"{override_text(error.override)} cannot be read as key=value ({reason}); write for "
            f"example lr=0.001, and in quotes 'hidden=[64,64]' or \"name='a name'\""
        ) from error
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {_first_line(error)}") from error
    except (HydraException, ValueError) as error:
        cause = _first_line(error.__cause__ or "")
        raise UserError(": ".join(part for part in (str(error), cause) if part)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(str(error)) from error


def _first_line(error: object) -> str:
    return str(error).partition("\n")[0]


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


def _refuse_wrong(override: Override, loader: ConfigLoaderImpl) -> None:
    """Refuse a key or a group's option that does not exist, and to add or remove one that does."""
    key, text = override.key_or_group, override.input_line
    options = loader.get_group_options(key) if key else []
    if override.is_hydra_override() and not options:
        return
    if not options and key not in KEYS and not key.startswith("env.kwargs."):
        refuse_unknown(key, text or key, groups=loader.list_groups(""))
    if override.is_delete():
        raise UserError(f"{key} cannot be removed, met {text}; leave it out to keep its default")
    if override.is_add() and key in {*KEYS, *default_groups()} - {"env.kwargs"}:
        raise UserError(f"{key} is there already, met {text}; write it without the +")
    if key == "name" and override.is_sweep_override():
        raise UserError(f"name must be one for the whole grid, met {text}; write one value")
    if not options:
        return
    met = list(override.sweep_iterator()) if override.is_discrete_sweep() else override.value()
    for choice in met if isinstance(met, list) else [met]:
        word = override_text(choice)
        if word not in options:
            near = nearest(word, options)
            advice = f"did you mean {key}={near}?" if near else f"write {key}={options[0]}"
            raise UserError(f"{key} must be one of {', '.join(options)}, met {word}; {advice}")


def _grid(composed: DictConfig, loader: ConfigLoaderImpl, parser: OverridesParser) -> list[Config]:
    """Every job of a grid, checked. A sweeper other than Hydra's basic one names its jobs later."""
    sweeper = composed.hydra.sweeper
    params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    given: Any = OmegaConf.to_container(composed.hydra.overrides, resolve=False)
    overrides = parser.parse_overrides([*params, *given["task"]])
    if sweeper.get("_target_", "").rpartition(".")[2] != BasicSweeper.__name__:
        overrides = [override for override in overrides if not override.is_sweep_override()]
    jobs = BasicSweeper.split_arguments(overrides, None)[0]
    parsed = {text: parser.parse_overrides([text])[0] for job in jobs for text in job}
    for override in parsed.values():
        _refuse_wrong(override, loader)
    bases: dict[tuple[str, ...], DictConfig] = {}
    configs = []
    for number, job in enumerate(jobs):
        # Composing takes 80 ms, so it is done once for each choice of groups.
        groups = tuple(text for text in job if loader.get_group_options(parsed[text].key_or_group))
        try:
            with one_line():
                if groups not in bases:
                    bases[groups] = loader.load_configuration(
                        composed.hydra.job.config_name,
                        [*given["hydra"], *groups],
                        RunMode.RUN,
                    )
                one = copy.deepcopy(bases[groups])
                one.hydra.job.num = number
                keys = [parsed[text] for text in job if text not in groups]
                ConfigLoaderImpl._apply_overrides_to_config(keys, one)
                configs.append(_checked(one, loader))
        except UserError as error:
            raise UserError(f"{error} (job {number}: {' '.join(job)})") from error
    return configs


def _checked(composed: DictConfig, loader: ConfigLoaderImpl) -> Config:
    """The configuration of one composed job."""
    HydraConfig.instance().set_config(composed)  # for ${hydra:...}
    task = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])
    try:
        values: Any = OmegaConf.to_container(task, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(
            f"{error.full_key} cannot be resolved ({_first_line(error)}); "
            f"write a value, or ${{KEY}} of a key"
        ) from error
    _refuse_borrowed_limits(values.get("env"), composed.hydra.runtime.choices.get("env"), loader)
    return Config.from_mapping(values)


def _refuse_borrowed_limits(env: Any, choice: str | None, loader: ConfigLoaderImpl) -> None:
    """Refuse an id that would train with the time limit or the threshold of another environment."""
    found = loader.repository.load_config(f"env/{choice}") if choice else None
    if found is None or not isinstance(env, dict):
        return
    own: Any = OmegaConf.to_container(found.config)
    limits = ("max_episode_steps", "solved_return")
    borrowed = [key for key in limits if env.get(key) == own.get(key) is not None]
    if borrowed and own["id"] != env.get("id"):
        raise UserError(
            f"env.id must be {own['id']} with env={choice}, which sets that one's "
            f"{' and '.join(borrowed)}, met {env.get('id')}; "
            f"write env=gymnasium env.id={env.get('id')}"
        )


def _refuse_unwritable(composed: DictConfig, key: str) -> None:
    """Refuse a folder of results that is not there and cannot be made, or cannot be written to."""
    HydraConfig.instance().set_config(composed)
    text = str(OmegaConf.select(composed, key) or "")
    folder = Path(text).absolute()
    try:
        if not text:
            raise NotADirectoryError(0, "no path")
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with tempfile.TemporaryDirectory(dir=there):
            pass
    except OSError as error:
        raise UserError(
            f"{key} must be a folder that can be written to, met "
            f"{text if text.isprintable() else repr(text)} "
            f"({error.strerror}); write {key}=PATH for another"
        ) from error
