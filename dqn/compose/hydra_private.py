"""All that is used of Hydra's private modules, checked with 1.3.8.

Hydra's public way in, `hydra.main`, composes anew, writes before anything is checked, and prints
errors over several lines. `hydra_plugins` names its own base class: a program that is not ours
loads it too.
"""

import argparse
from pathlib import Path

from hydra._internal import utils
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.bash_completion import BashCompletion
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra as run_hydra
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.utils import setup_globals
from hydra.types import TaskFunction
from omegaconf import DictConfig

from dqn.runtime.errors import must_be

__all__ = [
    "BashCompletion",
    "BasicSweeper",
    "ConfigLoaderImpl",
    "get_args_parser",
    "hydra_for",
    "run_hydra",
]

FILE = "file://"  # how a place on a search path begins that is a folder


class Loader(ConfigLoaderImpl):
    """Hydra's loader, which composes a command once: Hydra asks for it again when it runs it."""

    known: tuple[str, list[str], DictConfig] | None = None
    """Name of the configuration, overrides, what they make."""

    def load_configuration(self, config_name, overrides, *others, **options) -> DictConfig:
        """As Hydra's; raises `UserError` for a file that is not UTF-8."""
        if self.known is not None and self.known[:2] == (config_name, list(overrides)):
            return self.known[2]
        try:
            return super().load_configuration(config_name, overrides, *others, **options)
        except UnicodeDecodeError as error:
            places = [place.path or "" for place in self.config_search_path.get_path()]
            folders = [Path(place.removeprefix(FILE)) for place in places if FILE in place]
            for path in (path for folder in folders for path in folder.rglob("*.yaml")):
                if error.object in path.read_bytes():
                    got = f"the byte 0x{error.object[error.start]:02x} in it"
                    raise must_be(str(path), "UTF-8 text", got, "save it as UTF-8") from error
            raise


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
        path.prepend(provider="command-line", path=f"{FILE}{folder}", anchor=query)
    loader = Loader(path)
    return Hydra(utils.detect_task_name(*caller), loader), loader
