"""`python -m sweeps reproduce`, and the machines a folder keeps."""

import dataclasses
import shutil

import pytest
import yaml
from sweep_commands import plain, refusal
from trainings import filled, result

from dqn import session
from dqn.config import Config
from dqn.storage import machines
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from dqn.training.trial_source import FixedTrials, Trial
from sweeps.__main__ import main

BASE = Config(hidden=(8,), batch_size=8, episodes=12, seeds=2, test_episodes=2, workers=0)


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A grid whose trials are lanes of one block, with a column of the environment's own."""
    path = tmp_path_factory.mktemp("grid") / "lr"
    longer = dataclasses.replace(BASE.env, max_episode_steps=30)
    configs = [BASE, dataclasses.replace(BASE, lr=0.02, double=True, env=longer)]
    about = session.SweepSpec({"kind": "grid"}, (), ("lr", "env.max_episode_steps"), tuple(configs))
    trials = [Trial(n, config, (0, 1)) for n, config in enumerate(configs)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dqn.plotting.result_pictures.draw_best_trial", lambda folder, base: None)
        assert session.sweep(BASE, path, about, lambda folder: FixedTrials(trials))[0] == 0
    return path


def edited(path, old, new):
    file = path / "seeds.csv"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.fixture
def copy(swept, tmp_path):
    return shutil.copytree(swept, tmp_path / "copy")


@pytest.mark.parametrize("trial", [0, 1])
def test_a_row_is_trained_again_to_the_last_bit_from_its_record_alone(swept, capsys, trial):
    status, text = plain(capsys, "reproduce", swept, "--trial", trial, "--seed", 1)
    assert text["differ"] == {}
    assert (status, text["identical"], text["machine_changed"]) == (0, True, [])


def mean_of(path, trial, seed):
    return next(row for row in read(path).rows[trial] if row["seed"] == seed)["mean_return"]


def test_a_row_that_is_not_what_it_says_is_found_out(copy, capsys):
    mean = mean_of(copy, 1, 1)
    edited(copy, f",{mean},", f",{mean * (1 + 1e-15) + 1e-13},")
    status, text = plain(capsys, "reproduce", copy, "--trial", 1, "--seed", 1)
    assert (status, text["identical"], list(text["differ"])) == (1, False, ["mean_return"])
    assert main(["reproduce", str(copy), "--trial", "1", "--seed", "1"]) == 1
    assert "is NOT the same, though machine and versions" in capsys.readouterr().out


def test_elsewhere_it_is_compared_within_a_tolerance(copy, capsys):
    (then,) = machines.read(copy)
    then["versions"]["numpy"] = "1.0"
    (copy / machines.FILE).write_text(yaml.safe_dump([then]))
    mean = mean_of(copy, 1, 1)
    edited(copy, f",{mean},", f",{mean * 1.02},")
    status, text = plain(capsys, "reproduce", copy, "--trial", 1, "--seed", 1)
    assert (status, text["identical"], text["within_tolerance"]) == (0, False, True)
    assert text["machine_changed"][0].startswith("numpy 1.0 is now")
    status, _ = plain(capsys, "reproduce", copy, "--trial", 1, "--seed", 1, "--tolerance", 0.001)
    assert status == 1


def test_a_folder_keeps_each_machine_that_wrote_to_it_once(tmp_path, monkeypatch):
    ResultsDir(tmp_path, BASE).close()
    ResultsDir(tmp_path, BASE).close()
    (first,) = machines.read(tmp_path)
    assert {"processor", "cores", "versions", "date"} <= first.keys()
    assert {"python", "tensorflow", "numpy", "gymnasium", "keras"} <= first["versions"].keys()
    monkeypatch.setattr("dqn.runtime.machine.processor", lambda: "Another")
    ResultsDir(tmp_path, BASE).close()
    first, second = machines.read(tmp_path)
    assert machines.changed(first, second) == [f"processor {first['processor']} is now Another"]


def test_what_cannot_be_trained_again_is_refused_in_one_line(tmp_path, capsys):
    pruned = result(0, 0, config=BASE, status="pruned")
    filled(tmp_path, pruned, config=BASE, sweep={"kind": "study"})
    for arguments, part in [
        (["--seed", "0"], "must be done or diverged, is pruned"),
        (["--seed", "7"], "trial 0 must have seed 7, has 0"),
        (["--trial", "3", "--seed", "0"], "trial 3 must have a row in seeds.csv"),
        ([], "required: --seed"),
    ]:
        status, line = refusal(capsys, "reproduce", tmp_path, *arguments)
        assert (status, part in line) == (2, True), line
