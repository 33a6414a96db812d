"""All that is used of Hydra's private modules, checked with 1.3.8.

Hydra's public way in, `hydra.main`, composes anew, writes before anything is checked, and prints
errors over several lines. `hydra_plugins` names its own base class: a program that is not ours
loads it too.
"""

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import _run_hydra as run_hydra
from hydra._internal.utils import (
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
    detect_task_name,
    get_args_parser,
)

__all__ = [
    "BasicSweeper",
    "ConfigLoaderImpl",
    "Hydra",
    "create_automatic_config_search_path",
    "detect_calling_file_or_module_from_task_function",
    "detect_task_name",
    "get_args_parser",
    "run_hydra",
]
