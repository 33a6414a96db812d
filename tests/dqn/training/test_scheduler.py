"""A run as its user meets it: its command, and the files it leaves, read back."""

import re
import signal
import subprocess
import time

import keras
import numpy as np
import pandas as pd
import pytest
from commands import argv, ended, here, stopped
from PIL import Image

SMALL = ["hidden=[8]", "test_episodes=3", "batch_size=8"]
SECONDS = "seconds"


def asked(folder, *overrides):
    return f"hydra.run.dir={folder}", *SMALL, *overrides


def started(folder, *overrides):
    pipe = subprocess.PIPE
    return subprocess.Popen(argv(*asked(folder, *overrides)), stdout=pipe, stderr=pipe, text=True)


def seeds_of(folder):
    return pd.read_csv(folder / "seeds.csv").sort_values("seed").reset_index(drop=True)


def same_but_for_the_time(one, other):
    pd.testing.assert_frame_equal(one.drop(columns=SECONDS), other.drop(columns=SECONDS))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "results"
    return folder, ended(*asked(folder, "seeds=3", "episodes=12"))


def test_a_run_ends_with_a_table_and_the_path_of_its_folder(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == f"results: {folder}"
    assert [line.split()[0] for line in lines if re.match(r" +\d+ +done", line)] == list("012")
    assert any(line.lstrip().startswith("IQM  3 seeds") for line in lines)
    assert any("95 % interval" in line for line in lines)


def test_what_is_no_terminal_is_told_in_plain_lines(finished):
    _, done = finished
    assert "training 3 seeds" in done.stderr
    for seed in range(3):
        assert f"seed {seed} done · episode    12" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_every_file_of_the_contract_is_there_and_says_the_same(finished):
    folder, _ = finished
    seeds, episodes = seeds_of(folder), pd.read_parquet(folder / "episodes.parquet")
    assert seeds.seed.tolist() == [0, 1, 2]
    assert (seeds.status == "done").all()
    assert (seeds.episodes == 12).all()
    for row in seeds.itertuples():
        mine = episodes[episodes.seed == row.seed]
        assert mine.episode.tolist() == list(range(1, 13))
        assert mine["return"].mean() == pytest.approx(row.mean_return)
        assert mine.length.sum() == row.steps == mine.step.iloc[-1]
        assert mine.length.tolist() == mine["return"].tolist()  # CartPole pays 1 a step
        actions = mine.step.to_numpy()
        np.testing.assert_allclose(mine.epsilon, np.maximum(0.05, 0.9995**actions), rtol=1e-5)
        learned = mine.step > 16
        assert mine.loss[learned].notna().all()
    trials = pd.read_csv(folder / "trials.csv")
    assert trials.seeds_done.tolist() == [3]
    assert trials.mean_return[0] == pytest.approx(seeds.mean_return.mean())
    for figure in ("returns", "losses", "q_values"):
        with Image.open(folder / "figures" / f"{figure}.png") as image:
            assert image.size[0] > 500
    with Image.open(folder / "episode.gif") as image:
        assert image.n_frames > 3
    assert (folder / "config.yaml").exists()
    assert (folder / ".hydra" / "overrides.yaml").exists()


def test_the_model_loads_in_plain_keras(finished):
    folder, _ = finished
    model = keras.models.load_model(folder / "model.keras")
    assert model.count_params() == 4 * 8 + 8 + 8 * 2 + 2


def test_the_same_command_again_trains_nothing_and_more_seeds_are_added(finished, tmp_path, capfd):
    folder, _ = finished
    before = seeds_of(folder)
    assert here(*asked(folder, "seeds=3", "episodes=12")) == 0
    assert "nothing to do" in capfd.readouterr().out
    pd.testing.assert_frame_equal(seeds_of(folder), before)
    assert here(*asked(folder, "seeds=2", "episodes=12")) == 0
    assert "the table also has 1 seed of earlier commands\n" in capfd.readouterr().out
    assert here(*asked(folder, "seeds=4", "episodes=12")) == 0
    assert "earlier commands" not in capfd.readouterr().out
    pd.testing.assert_frame_equal(seeds_of(folder).head(3), before)
    assert here(*asked(tmp_path / "alone", "seeds=1", "first_seed=3", "episodes=12")) == 0
    same_but_for_the_time(
        seeds_of(folder).tail(1).reset_index(drop=True), seeds_of(tmp_path / "alone")
    )


def test_ctrl_c_leaves_whole_seeds_and_their_figures_and_says_how_to_go_on(tmp_path):
    # 16 lanes train at once, so the first of 64 seeds end long before the last have begun.
    budget = ["seeds=64", "steps=3000", "episodes=0", "train_freq=1"]

    def interrupt(process, folder):
        for line in process.stderr:
            if line.startswith("seed "):
                process.send_signal(signal.SIGINT)
                break

    cut, status, out, err = stopped(tmp_path, lambda own: started(own, *budget), interrupt)
    assert status == 130, err
    rows = seeds_of(cut)
    assert 0 < len(rows) < 64
    assert f"stopped: {len(rows)} of 64 seeds saved" in out
    assert f"hydra.run.dir={cut}" in out.split("to resume: ")[1]
    assert (cut / "figures" / "returns.png").exists()
    assert (cut / "model.keras").exists()
    assert here(*asked(cut, *budget)) == 0
    assert here(*asked(tmp_path / "whole", *budget)) == 0
    same_but_for_the_time(seeds_of(cut), seeds_of(tmp_path / "whole"))


def test_a_kill_loses_nothing_that_was_finished(tmp_path):
    budget = ["seeds=20", "steps=2000", "episodes=0", "train_freq=1"]
    killed = started(tmp_path / "cut", *budget)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        table = tmp_path / "cut" / "seeds.csv"
        if table.exists() and table.read_text().count("\n") > 2:
            break
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    kept = seeds_of(tmp_path / "cut")
    assert len(kept) > 0
    assert here(*asked(tmp_path / "cut", *budget)) == 0
    after = seeds_of(tmp_path / "cut")
    assert after.seed.tolist() == list(range(20))
    pd.testing.assert_frame_equal(after[after.seed.isin(kept.seed)].reset_index(drop=True), kept)


def test_a_diverging_seed_is_a_row_of_its_own_and_the_run_goes_on(tmp_path, capfd):
    assert here(*asked(tmp_path / "wild", "seeds=2", "lr=1e18", "episodes=12")) == 0
    rows = seeds_of(tmp_path / "wild")
    assert (rows.status == "diverged").all()
    assert (rows.steps % 4 == 0).all()
    assert (rows.steps < 200).all()
    assert rows.test_return.isna().all()
    assert "seed 0 diverged" in capfd.readouterr().err
