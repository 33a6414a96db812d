"""What of Hydra's own insides is used, all in one place; checked with Hydra 1.3.2 to 1.3.8.

Hydra's public `compose` starts anew for every configuration, 77 ms each: its config loader composes
many from one start. Its command line and its grid of jobs have no public door either.
"""

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import (
    create_automatic_config_search_path,
    detect_calling_file_or_module_from_task_function,
    get_args_parser,
)

__all__ = [
    "BasicSweeper",
    "ConfigLoaderImpl",
    "create_automatic_config_search_path",
    "detect_calling_file_or_module_from_task_function",
    "get_args_parser",
]
