"""`python -m examples.own_component`, as it is and where only its folder is known."""

from pathlib import Path

import pandas as pd
import pytest
from commands import own_lines, python

from dqn.config import Config, EnvConfig
from dqn.training.own_components import refuse_config

HOUSE = Path(__file__).parents[2]


def test_the_network_of_the_example_can_be_trained_in_its_environment():
    env = EnvConfig("examples.my_module:Corridor-v0")
    refuse_config(Config(env=env, network="examples.my_module:Mine", hidden=[4]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["-m", "examples.own_component"], "examples.my_module"),
        ([str(HOUSE / "examples/own_component.py"), "workers=0"], "my_module"),
    ],
    ids=["module", "script"],
)
def test_the_example_trains_its_grid_and_says_which_is_best(tmp_path, words, module):
    done = python(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in own_lines(done.stderr) if line.startswith("no ")] == []
    frame = pd.read_csv(tmp_path / "outputs/sweeps/own_component/trials.csv")
    assert set(frame["network"]) == {"mlp", f"{module}:Mine"}
    assert set(frame["env"]) == {f"{module}:Corridor-v0"}
    assert frame["seeds_done"].tolist() == [3] * 4
    for network in set(frame["network"]):
        assert network in done.stdout
    assert (tmp_path / "outputs/sweeps/own_component/best/model.keras").exists()
