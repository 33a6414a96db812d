"""Names our launcher and sweepers to Hydra 1.3, which makes plug-ins of this namespace alone.

Hydra imports this file at every start, so what they do is imported when they do it.
"""

from collections.abc import Sequence
from typing import Any

# Private, as there is no public one. Not by way of dqn.compose: Hydra loads both anew together.
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


class LanesLauncher(Launcher):
    """Trains all jobs of a grid side by side, as lanes, into one folder of results."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra once, before `launch`."""
        self._loader, self._config = hydra_context.config_loader, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train them; whatever the exit status but 0 ends the process."""
        from sweeps.plugins.grid import launch

        launch(self._loader, self._config, job_overrides)
        return []


class GridSweeper(BasicSweeper):
    """Hydra's basic sweeper: the product of all choices."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """As Hydra's, which will write the configuration into the folder: without passwords."""
        from dqn.compose.fast_compose import settings_of
        from dqn.runtime.secrets import without_secrets

        self._settings = settings_of(config.hydra.sweeper)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        said = OmegaConf.to_container(config, resolve=False)
        kept = without_secrets(said)
        if kept != said:
            self.config = OmegaConf.create(kept)

    def sweep(self, arguments: list[str]) -> Any:
        """As Hydra's, which begins by making the folder: not where that is a dry run."""
        from dqn.trained.dry_run import is_dry_run

        if not is_dry_run():
            return super().sweep(arguments)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (jobs,) = self.split_arguments(overrides, None)
        return [self.launcher.launch(jobs, initial_job_idx=0)]

    def _parse_config(self) -> list[str]:
        """As Hydra's, a list being a choice; called by `sweep`."""
        from dqn.compose.overrides import sweep_texts

        # Not from self.params, in which Hydra has resolved what a secret may stand behind.
        return sweep_texts(self._settings.get("params") or {})

    @staticmethod
    def split_arguments(overrides: list[Override], max_batch_size: int | None) -> list[Any]:
        """The jobs as Hydra's, one batch of them, each value the one that was written."""
        from dqn.compose.overrides import jobs_of

        return [jobs_of(overrides)]

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Nothing: every job was composed and checked before; Hydra takes 80 ms for each."""


# In the place of Hydra's own default: chosen in conf/config.yaml it would win over sweep=tune.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="basic",
    node={"_target_": f"{__name__}.GridSweeper", "max_batch_size": None, "params": None},
    provider="dqn-study",
)


class OptunaSweeper(Sweeper):
    """An Optuna study; its settings are those of conf/hydra/sweeper/optuna.yaml."""

    def __init__(self, **settings: Any):
        self._settings = settings

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra once, before `sweep`."""
        self._loader, self._config = hydra_context.config_loader, config

    def sweep(self, arguments: list[str]) -> None:
        """Run the study; whatever the exit status but 0 ends the process."""
        from sweeps.plugins.study import search

        search(self._loader, self._config, arguments)
