"""Every file of conf/ composes, is what it says, and gives a first trial."""

import sys

import pytest
from conf_files import files, said
from tabular import PARSER, compose

from dqn import run, session
from dqn.config import Config
from dqn.envs.program_key import CAPACITY, ProgramKey
from dqn.storage.results_dir import ResultsDir
from dqn.training.scheduler import Timing
from sweeps.search.space_parser import search_space

NUMBERS = ("lr=tag(log,interval(1e-4,1e-2))", "gamma=interval(0.9,0.99)")
CHOICES = ("lr=choice(1e-4,1e-3)", "gamma=choice(0.9,0.99)")
PACKAGES = {"cmaes": "cmaes", "gp": "torch"}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A command's configurations, all there are trials of, or the first; nothing is trained."""
    got = []

    def train(config, path):
        got.append(config)
        return 0

    def sweep(base, path, about, make_source, say):
        with ResultsDir(
            path, base, about.record, growable_keys=about.growable_keys, swept=about.swept
        ) as folder:
            source = make_source(folder)
            got.extend([source.next().config] + [None] * (source.total - 1))
            source.close()
        return 0, Timing()

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["dqn-run", *arguments])
        assert run.main() == 0
        return got

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "train", train)
    monkeypatch.setattr(session, "sweep", sweep)
    return command


@pytest.mark.parametrize("name", files("env"))
def test_an_environment(trained, name):
    more = ["env.id=CartPole-v1"] if said("env", name)["id"] == "???" else []
    (config,) = trained(f"env={name}", *more)
    assert config.to_mapping()["env"] == {
        **said("env", name),
        **({"id": "CartPole-v1"} if more else {}),
    }


@pytest.mark.parametrize("name", files("preset"))
def test_a_preset(trained, name):
    (config,) = trained(f"preset={name}")
    assert config.to_mapping() == {**Config().to_mapping(), **said("preset", name)}


@pytest.mark.parametrize("name", files("sweep"))
def test_a_sweep(trained, name):
    asked = said("sweep", name)["hydra"]["sweeper"].get("n_trials")
    points = {"lr": 5, "influence": 39}  # of a grid, and of a table
    alone = ["hydra.sweeper.validate=null"] * (name == "tune")  # there is nothing to validate here
    assert len(trained(f"sweep={name}", *alone)) == points.get(name, asked)


@pytest.mark.parametrize("name", files("hydra/sweeper/sampler"))
def test_a_sampler(trained, name):
    if name in PACKAGES:
        pytest.importorskip(PACKAGES[name])
    space = CHOICES if name in ("grid", "one_at_a_time") else NUMBERS
    got = trained("-m", "hydra/sweeper=optuna", f"hydra/sweeper/sampler={name}", *space)
    assert len(got) == {"grid": 4, "one_at_a_time": 3}.get(name, 100)


@pytest.mark.parametrize("name", files("hydra/sweeper/pruner"))
def test_a_pruner(trained, name):
    assert trained("-m", "hydra/sweeper=optuna", f"hydra/sweeper/pruner={name}", *NUMBERS)


def test_the_buffers_of_tune_fit_one_program():
    params = said("sweep", "tune")["hydra"]["sweeper"]["params"]
    space = search_space([], {"buffer_size": params["buffer_size"]}, compose, PARSER)
    sizes = space["buffer_size"].low, space["buffer_size"].high
    assert max(sizes) > 5000
    configs = [Config(buffer_size=size) for size in sizes]
    assert {ProgramKey.of(config).capacity for config in configs} == {CAPACITY}
