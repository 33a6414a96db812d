"""All that is used of Hydra's private modules, checked with 1.3.8.

Hydra's public way in, `hydra.main`, composes anew, writes before anything is checked, and prints
errors over several lines. `hydra_plugins` names its own base class: a program that is not ours
loads it too.
"""

import argparse
from pathlib import Path

from hydra._internal import utils
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra as run_hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.utils import setup_globals
from hydra.types import TaskFunction
from omegaconf import DictConfig

from dqn.runtime.errors import must_be

__all__ = ["BasicSweeper", "ConfigLoaderImpl", "get_args_parser", "hydra_for", "run_hydra"]


class Loader(ConfigLoaderImpl):
    """Hydra's loader, which composes a command once: Hydra asks for it again when it runs it."""

    known: tuple[str, list[str], DictConfig] | None = None
    """Name of the configuration, overrides, what they make."""

    def load_configuration(self, config_name, overrides, *others, **options) -> DictConfig:
        """As Hydra's."""
        if self.known is not None and self.known[:2] == (config_name, list(overrides)):
            return self.known[2]
        return super().load_configuration(config_name, overrides, *others, **options)


def hydra_for(args: argparse.Namespace, task: TaskFunction, conf: Path) -> tuple[Hydra, Loader]:
    """Hydra with a loader over the folders that `hydra.main` would search, `conf` among them."""
    setup_globals()
    caller = utils.detect_calling_file_or_module_from_task_function(task)
    path = utils.create_automatic_config_search_path(*caller, args.config_path or str(conf))
    if args.config_dir is not None:
        folder = Path(args.config_dir).absolute()
        if not folder.is_dir():
            raise must_be("--config-dir", "a folder", args.config_dir, "write the path of one")
        query = SearchPathQuery(provider="schema")
        path.prepend(provider="command-line", path=f"file://{folder}", anchor=query)
    loader = Loader(path)
    return Hydra(utils.detect_task_name(*caller), loader), loader
