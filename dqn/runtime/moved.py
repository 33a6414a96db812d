"""Where modules of earlier versions went: an import by an old path names the new one."""

import functools
import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from typing import NoReturn

_BENCHMARKS = "python -m benchmarks, in a checkout of this project"
_PACKAGES = {
    "dqn.algorithm": "dqn.agents",
    "dqn.bench": _BENCHMARKS,
    "dqn.execution": "dqn.session, dqn.training, dqn.workers and dqn.terminal",
    "dqn.results": "dqn.storage, dqn.statistics and dqn.plotting",
    "sweeps.reporting": "sweeps.report and sweeps.analysis",
}
"""By old package, what it is now."""

# By new package: the old one and its modules, each with = and its new name where that is another.
_MODULES = {
    "dqn": "dqn.execution: session; dqn.envs: compiled=envs registry=envs",
    "dqn.agents": "dqn.algorithm: block compiled=compiled_loop exploration hosted=stepped_loop "
    "hosted_book=stepped_loop lane=dqn network=networks streams=random td=losses",
    "dqn.agents.keras": "dqn.algorithm: agent architecture=network_pair backend pair=network_pair "
    "replay=replay_buffer",
    "dqn.agents.networks": "dqn.agents.networks: layers=network",
    "dqn.compose": "dqn: arguments composer=fast_compose help=help_page hydra_errors "
    "origin=value_source overrides program=resume_command traps trust=allowlist",
    "dqn.config": "dqn: habits=familiar nesting=env_config schema=fields values "
    "variables=interpolation",
    "dqn.envs": "dqn.envs: host=gymnasium_env lookup=registry_errors several=exclusive",
    "dqn.plotting": "dqn.results: artefacts=result_pictures drawable=frames frames "
    "figures=training_figures pictures=result_pictures recorder=episode_recorder",
    "dqn.runtime": "dqn: errors limits machine quiet=tensorflow secrets status=exit_codes version; "
    "dqn.algorithm: traced; dqn.execution: runtime=compile_cache staging=cache_staging; "
    "dqn.results: atomic=atomic_write",
    "dqn.statistics": "dqn: record=episode_columns; dqn.results: comparison stats=metrics",
    "dqn.storage": "dqn.results: best=best_weights columns composed=manifest damage=quarantine "
    "document=safe_yaml episodes folder=results_dir format=format_version identity "
    "lines=older_formats lock machines opening parts=episodes places=layout ranking "
    "reading=reader seeds seeds_text thresholds training=finished trial_table trials",
    "dqn.terminal": "dqn.execution: closing=tables drawing live=progress progress "
    "screen=console summary=tables",
    "dqn.training": "dqn.execution: block=lane_block course=trial_progress driver=scheduler engine "
    "jobs memory=engine source=trial_source; dqn.training: memory=engine messages=jobs",
    "dqn.workers": "dqn.execution: cluster=ray crew=remote_pool fleet=pool member=backend "
    "processes=local registrations site=backend worker=local; "
    "dqn.workers: before_training=pool remote_worker=backend worker=local",
    "benchmarks": "dqn.bench: agreement arithmetic capacity command contenders=baselines core "
    "figures lanes measure memory peers recipe scaling study sweep versus",
    "benchmarks.peers": "dqn.bench.peers: rejax_dqn stable_baselines3_dqn",
    "sweeps.analysis": "sweeps: contenders=candidates curves=learning_curves findings=validation "
    "objective overview=tables validate=held_out; sweeps.reporting: curves=learning_curves "
    "importance knobs=hyperparameters tables=frames",
    "sweeps.commands": "sweeps: compare export reproduce",
    "sweeps.plugins": "sweeps: earlier=older_results grid launcher=grid sweeper=study",
    "sweeps.report": "sweeps: pictures=figures; sweeps.reporting: answer=headline "
    "charts=figures commands=provenance evidence=data gallery=figures origin=provenance "
    "page sections stills=figures",
    "sweeps.search": "sweeps: endings options pruners race=racing record=study_storage "
    "recorded=space_parser repeats samplers settings space storage=storage_url "
    "stored=study_lookup study syntax=space_parser tasks=settings view=samplers",
}


@functools.cache
def moved_modules() -> dict[str, str]:
    """The new path of every module that moved, by its old one."""
    found = {}
    for package, groups in _MODULES.items():
        for group in groups.split("; "):
            old, _, names = group.partition(": ")
            for name, _, renamed in (word.partition("=") for word in names.split()):
                found[f"{old}.{name}"] = f"{package}.{renamed or name}"
    return found


class _OldPackage(importlib.abc.InspectLoader):
    """Stands for a package that is gone, so that importing a module of it reaches the finder."""

    def get_source(self, fullname: str) -> str:
        if fullname == "dqn.bench.__main__":  # python -m dqn.bench
            line = f"dqn.bench is now {_BENCHMARKS}"
            return f"import sys\nprint({line!r}, file=sys.stderr)\nsys.exit(2)"
        return (
            "import functools\nfrom dqn.runtime import moved\n"
            "__getattr__ = functools.partial(moved.old_attribute, __name__)"
        )


def old_attribute(package: str, word: str) -> NoReturn:
    """Raise what `package.word` was, as a module or as any other attribute, of an old package."""
    if f"{package}.{word}" in moved_modules():
        raise _moved(f"{package}.{word}")
    raise AttributeError(f"{package} is now {_PACKAGES[package]}: it has no {word}")


class _Finder(importlib.abc.MetaPathFinder):
    """Asked last: finds nothing but the old packages, and says where an old module went."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if not fullname.startswith(("dqn.", "sweeps.")):
            return None
        if fullname in moved_modules():
            raise _moved(fullname)
        if (is_old := fullname in _PACKAGES) or fullname == "dqn.bench.__main__":
            return importlib.util.spec_from_loader(fullname, _OldPackage(), is_package=is_old)
        return None


def name_new_paths() -> None:
    """Have an import of an old path raise an `ImportError` that names the new one."""
    sys.meta_path.append(_Finder())


def _moved(name: str) -> ImportError:
    new = moved_modules()[name].removesuffix(".__main__")
    checkout = "" if new.startswith(("dqn", "sweeps")) else ", in a checkout of this project"
    return ImportError(f"{name} is now {new}{checkout}", name=name)
