"""Components of one's own on the command line: a run, a grid, a study, and what is made of them."""

import sys

import pandas as pd
import pytest
import yaml
from commands import here
from sweep_commands import plain, table

import dqn
from dqn.config import Config
from dqn.storage import components
from dqn.storage.reader import read
from sweeps.__main__ import main

SMALL = ("hidden=[8]", "episodes=4", "batch_size=4", "seeds=2", "test_episodes=1", "workers=0")
GREEDY = ("epsilon_start=0.05", "train_freq=1", "lr=0.01")  # what is learned shows in returns
WORST = """

class Same(MLP):
    def apply(self, weights, x):
        return -super().apply(weights, x)
"""


def unlearned(own_module, monkeypatch):
    """As if the module were nowhere: to look for it is an error."""
    own_module.forget()
    monkeypatch.setitem(sys.modules, own_module.name, None)


def test_a_grid_over_networks_is_recorded_resumed_reproduced_and_opened_without_them(
    own_module, tmp_path, monkeypatch, capfd
):
    grid, same = tmp_path / "grid", own_module["Same"]
    words = ("-m", f"network=mlp,{same}", *SMALL, *GREEDY, f"hydra.sweep.dir={grid}")
    assert here(*words) == 0
    frame = pd.read_csv(grid / "trials.csv").set_index("trial")
    assert frame["network"].to_dict() == {0: "mlp", 1: same}
    assert frame["mean_return"][0] == frame["mean_return"][1]
    assert yaml.safe_load((grid / "sweep.yaml").read_text())["params"] == {"network": ["mlp", same]}
    (source,) = components.read(grid)[same]
    before = table(grid)
    status, said = plain(capfd, "reproduce", grid, "--trial", "1", "--seed", "0")
    assert (status, said["identical"], said["components_changed"]) == (0, True, [])

    own_module.write(own_module.file.read_text() + WORST)
    capfd.readouterr()
    status, said = plain(capfd, "reproduce", grid, "--trial", "1", "--seed", "0")
    assert (status, said["identical"], len(said["components_changed"])) == (1, False, 1)
    assert said["machine_changed"] == []
    assert here(*words) == 0  # nothing is trained: nothing is said
    assert "has changed" not in capfd.readouterr().err
    quoted = [word.replace(same, f"'{same}'") for word in words]  # as Python's own words are
    assert here(*quoted, "seeds=3") == 0
    (line,) = [text for text in capfd.readouterr().err.splitlines() if "has changed" in text]
    assert line.startswith(f"{same} has changed since it was last trained here: its source was ")
    assert components.read(grid)[same][0] == source
    assert len(components.read(grid)[same]) == 2
    now = table(grid)
    assert now[now["seed"] < 2].reset_index(drop=True).equals(before)

    unlearned(own_module, monkeypatch)
    assert read(grid).config(1).network == same
    assert plain(capfd, "compare", f"{grid}:0", f"{grid}:1")[0] == 0
    assert plain(capfd, "report", grid)[0] == 0
    assert same in (grid / "report.html").read_text()
    status, said = plain(capfd, "reproduce", grid, "--trial", "0", "--seed", "0")
    assert (status, said["identical"]) == (0, True)
    monkeypatch.delitem(sys.modules, own_module.name)
    own_module.file.unlink()
    own_module.forget()
    capfd.readouterr()
    assert main(["reproduce", str(grid), "--trial", "1", "--seed", "0"]) == 2
    assert "in a module that can be found" in capfd.readouterr().err


def test_a_study_chooses_among_networks_by_path_or_by_name(own_module, tmp_path, capfd):
    dqn.register(network={"same": own_module["Same"]})
    study = tmp_path / "study"
    words = (
        "-m", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra/sweeper/sampler=grid",
        "lr=choice(1e-3,1e-2)", *SMALL, f"hydra.sweep.dir={study}",
    )  # fmt: skip
    assert here(*words, "network=choice(mlp,same)") == 0
    params = yaml.safe_load((study / "sweep.yaml").read_text())["params"]
    assert params["network"] == f"choice(mlp,{own_module['Same']})"
    networks = pd.read_csv(study / "trials.csv")["network"]
    assert sorted(networks) == ["mlp", "mlp", own_module["Same"], own_module["Same"]]
    assert list(components.read(study)) == [own_module["Same"]]
    capfd.readouterr()
    assert here(*words, f"network=choice(mlp,{own_module['Same']})") == 0
    assert "all trials are already trained; nothing to do" in capfd.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ("network={}",),
        ("-m", "network=mlp,{}"),
        ("-m", "network=choice(mlp,{})", "hydra/sweeper=optuna"),
    ],
    ids=["run", "grid", "study"],
)
def test_what_cannot_be_imported_is_refused_before_anything_is_trained(tmp_path, capfd, words):
    words = [word.format("no_such_module:Mine") for word in words]
    folder = tmp_path / "results"
    dirs = (f"hydra.run.dir={folder}", f"hydra.sweep.dir={folder}")
    assert here(*words, *SMALL, *dirs) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("network must be in a module that can be found, got 'no_such_module:M")
    assert not (folder / "config.yaml").exists()


def test_a_run_exports_a_keras_model_or_says_what_is_missing(own_module, tmp_path, capfd):
    assert here(f"network={own_module['Same']}", *SMALL, f"hydra.run.dir={tmp_path / 'a'}") == 0
    assert (tmp_path / "a" / "model.keras").exists()
    capfd.readouterr()
    assert here(f"network={own_module['Wide']}", *SMALL, f"hydra.run.dir={tmp_path / 'b'}") == 0
    (line,) = [text for text in capfd.readouterr().err.splitlines() if text.startswith("no ")]
    assert line.startswith(f"no model.keras: network={own_module['Wide']} has no Keras model; ")
    assert (tmp_path / "b" / "episode.gif").exists()
    assert Config.from_mapping(yaml.safe_load((tmp_path / "b" / "config.yaml").read_text()))
