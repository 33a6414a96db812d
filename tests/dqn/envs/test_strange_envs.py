"""Environments as they are: trained on by the command, and shown, whatever they give."""

from dataclasses import replace

import pandas as pd
import pytest
import strange
from commands import here, own_lines
from lanes import train

from dqn.config import Config, EnvConfig
from dqn.envs import exclusive
from dqn.plotting import episode_recorder, training_figures
from dqn.storage import machines
from dqn.storage.results_dir import ResultsDir
from dqn.training.engine import Engine
from dqn.training.jobs import Job
from sweeps.__main__ import main

S = ["env=gymnasium", "seeds=1", "episodes=3", "test_episodes=2", "workers=0", "hidden=[8]",
     "batch_size=8"]  # fmt: skip


def asked(folder, name, *more):
    return [f"hydra.run.dir={folder}", f"env.id=strange:{name}-v0", *S, *more]


@pytest.fixture
def undrawn(monkeypatch):
    """Spare a test what is drawn in the end."""
    monkeypatch.setattr("dqn.plotting.result_pictures.draw_run", lambda folder, config: [])
    monkeypatch.setattr("dqn.plotting.result_pictures.draw_best_trial", lambda folder, base: [])


def run(capfd, folder, name, *more):
    """Exit status, standard output, and the lines of standard error that tell of something odd."""
    status = here(*asked(folder, name, *more))
    out, err = capfd.readouterr()
    return status, out, [line for line in own_lines(err) if not line.startswith(("tr", "seed"))]


def rows_of(folder):
    return pd.read_csv(folder / "seeds.csv").drop(columns=["env", "seconds"])


WALK = Config(env=EnvConfig("strange:Walk-v0"), hidden=(8,), batch_size=8, episodes=3,
              test_episodes=0)  # fmt: skip


def trained(*jobs):
    """What one engine makes of jobs, in the order in which they end."""
    return list(train(jobs, Engine()).values())


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dqn.plotting.result_pictures.draw_run", lambda folder, config: [])
        assert here(*asked(folder, "Plain")) == 0
    return rows_of(folder)


@pytest.mark.parametrize("name", ["IntDone", "Arrays"])
def test_numbers_that_say_yes_or_no_and_arrays_of_one_are_what_they_plainly_are(
    name, plain, tmp_path, capfd, undrawn
):
    assert run(capfd, tmp_path, name)[::2] == (0, [])
    pd.testing.assert_frame_equal(rows_of(tmp_path), plain)


def test_an_environment_that_exists_once_is_trained_tested_and_drawn(tmp_path, capfd):
    assert run(capfd, tmp_path, "Once", "workers=auto")[::2] == (0, [])
    assert (tmp_path / "episode.gif").exists()
    assert not strange.Once.opened


def test_its_seeds_follow_one_another_to_the_same_bits_and_its_trials_too(tmp_path, capfd, undrawn):
    assert run(capfd, tmp_path / "two", "Once", "seeds=2", "workers=auto")[::2] == (0, [])
    assert run(capfd, tmp_path / "one", "Once", "first_seed=1")[::2] == (0, [])
    alone, both = rows_of(tmp_path / "one"), rows_of(tmp_path / "two")
    pd.testing.assert_frame_equal(both.tail(1).reset_index(drop=True), alone)
    grid = asked(tmp_path / "two", "Once", "lr=1e-3,1e-2", "seeds=2")[1:]
    assert here("-m", f"hydra.sweep.dir={tmp_path / 'grid'}", *grid) == 0
    assert rows_of(tmp_path / "grid").status.tolist() == ["done"] * 4


def test_workers_that_would_each_make_one_are_refused_before_anything_is_made(tmp_path, capfd):
    for asks in ("workers=2", "fleet=ray"):
        folder = tmp_path / "none"
        status, _, lines = run(capfd, folder, "Once", "seeds=2", "workers=auto", asks)
        assert (status, len(lines)) == (2, 1)
        assert f"got {asks} with env.id=strange:Once-v0 (OSError: [Errno 98]" in lines[0]
        assert "workers=0" in lines[0]
        assert not folder.exists()


def test_whether_one_exists_only_once_is_found_out_once(monkeypatch):
    env = EnvConfig("strange:Once-v0")
    exclusive.exclusive(env)
    made = strange.Once.made
    assert "Address already in use" in exclusive.exclusive(env)
    assert strange.Once.made == made
    assert exclusive.exclusive(EnvConfig("strange:Walk-v0")) == ""


LICENSED = replace(WALK, env=EnvConfig("strange:Licensed-v0"), episodes=9, test_episodes=5)


@pytest.fixture(scope="module")
def unlicensed():
    """Weights and tests, by the seed, where there is no limit to how many exist."""
    free = replace(LICENSED, env=WALK.env)
    return {seed: trained(Job(0, seed, free))[0] for seed in range(6)}


@pytest.mark.parametrize("at_reset", [False, True])
@pytest.mark.parametrize("seeds", [2, 6])
def test_where_three_exist_trainings_and_tests_make_do_with_three(at_reset, seeds, unlicensed):
    config = replace(LICENSED, env=replace(LICENSED.env, kwargs={"at_reset": at_reset}))
    results = trained(*(Job(0, seed, config) for seed in range(seeds)))
    assert sorted(one.job.seed for one in results) == list(range(seeds))
    for one in results:
        assert (one.status, one.reason) == ("done", "")
        other = unlicensed[one.job.seed]
        assert one.test_returns.tolist() == other.test_returns.tolist()
        assert all((w == v).all() for w, v in zip(one.weights, other.weights, strict=True))
    assert not strange.Licensed.taken


def test_trainings_of_other_shapes_share_the_three_and_one_that_fails_alone_fails(monkeypatch):
    configs = [replace(LICENSED, hidden=(width,)) for width in (8, 4)]
    jobs = [Job(n, seed, config) for n, config in enumerate(configs) for seed in range(4)]
    assert [one.status for one in trained(*jobs)] == ["done"] * 8
    assert not strange.Licensed.taken
    monkeypatch.setattr(strange.Licensed, "licences", 0)
    (failed,) = trained(jobs[0])
    assert (failed.status, "no licence is left" in failed.reason) == ("failed", True)


def test_what_draws_nothing_has_its_table_and_a_line_why_there_is_no_gif(tmp_path, capfd):
    status, out, lines = run(capfd, tmp_path, "NoRender")
    assert status == 0
    assert out.splitlines()[-1] == f"results: {tmp_path}"
    assert lines == ["no episode.gif: strange:NoRender-v0: render gave None, must give an array "
                     "[height, width, 3] of 0 to 255"]  # fmt: skip
    assert (tmp_path / "figures" / "q_values.png").exists()
    assert (tmp_path / "model.keras").exists()


def test_a_close_that_raises_costs_nothing(tmp_path, capfd):
    assert run(capfd, tmp_path, "BadClose")[::2] == (0, [])
    assert (tmp_path / "episode.gif").exists()


# An error on the way


def test_an_error_on_the_way_costs_one_seed_and_says_where_it_was(
    tmp_path, capfd, undrawn, monkeypatch
):
    monkeypatch.setattr(strange.Breaks, "armed", True)
    status, out, lines = run(capfd, tmp_path, "Breaks", "seeds=3")
    assert status == 1
    assert lines == ["strange:Breaks-v0: step raised ConnectionError: the simulator has gone "
                     "(seed 0, step 13)"]  # fmt: skip
    assert rows_of(tmp_path).seed.tolist() == [1, 2]
    assert f"results: {tmp_path}" in out
    assert run(capfd, tmp_path, "Breaks", "seeds=3")[::2] == (0, [])
    assert rows_of(tmp_path).seed.tolist() == [0, 1, 2]


def test_in_a_sweep_it_costs_the_trial(tmp_path, capfd, undrawn, monkeypatch):
    monkeypatch.setattr(strange.Breaks, "armed", True)
    grid = asked(tmp_path, "Breaks", "lr=1e-3,1e-2")[1:]
    assert here("-m", f"hydra.sweep.dir={tmp_path}", *grid) == 1
    assert sorted(rows_of(tmp_path).status) == ["done", "failed"]
    assert "trial 0 failed: strange:Breaks-v0: step raised" in capfd.readouterr().err


@pytest.mark.parametrize(("arguments", "reason"), [
    ({"at_reset": 3}, "reset raised SystemExit: no more (seed 7, step 10)"),
    ({"at_step": 12}, "step raised OSError: gone (seed 7, step 12)"),
    ({"at_step": 16}, "step raised OSError: gone (seed 7, test episode 1, step 1)"),
    ({"at_reset": 5}, "reset raised SystemExit: no more (seed 7, test episode 2, step 0)"),
], ids=str)  # fmt: skip
def test_every_method_that_raises_is_named_with_its_seed_and_step(arguments, reason):
    config = replace(WALK, env=EnvConfig("strange:Raises-v0", kwargs=arguments), test_episodes=2)
    (over,) = trained(Job(0, 7, config))
    assert (over.status, over.reason) == ("failed", f"strange:Raises-v0: {reason}")


def test_an_environment_that_cannot_be_made_fails_its_training_and_no_other():
    odd = replace(WALK, env=EnvConfig("strange:Walk-v0", kwargs={"mass": 1}))
    failed, done = trained(Job(0, 0, odd), Job(1, 0, WALK))
    assert (failed.status, done.status) == ("failed", "done")
    assert "env.kwargs must be arguments of strange:Walk-v0" in failed.reason


def test_a_reward_that_is_no_number_is_told_beside_how_the_training_ended(tmp_path, capfd, undrawn):
    status, _, lines = run(capfd, tmp_path, "LateNaN", "episodes=20", "test_episodes=0")
    assert status == 0
    assert lines[0] == ("strange:LateNaN-v0: step gave reward nan, must give finite 32-bit "
                        "numbers (seed 0, step 41)")  # fmt: skip


# What is trained is shown


def full(*arguments, **named):
    raise OSError(28, "No space left on device")


def interrupted(*arguments, **named):
    raise KeyboardInterrupt


def test_what_cannot_be_made_is_a_line_each_and_made_by_the_next_command(
    tmp_path, capfd, monkeypatch
):
    files = ["figures/returns.png", "figures/losses.png", "model.keras", "episode.gif",
             "figures/q_values.png"]  # fmt: skip
    with monkeypatch.context() as patch:
        for where in (
            (episode_recorder, "save_model"),
            (episode_recorder, "write_gif"),
            (training_figures, "write_png"),
        ):
            patch.setattr(*where, full)
        status, out, lines = run(capfd, tmp_path, "Walk")
    assert (status, lines) == (0, [f"no {name}: No space left on device" for name in files])
    assert f"results: {tmp_path}" in out
    assert run(capfd, tmp_path, "Walk")[::2] == (0, [])
    assert all((tmp_path / name).exists() for name in files)


def test_so_it_is_of_a_sweep(tmp_path, capfd, monkeypatch):
    command = "-m", f"hydra.sweep.dir={tmp_path}", *asked(tmp_path, "Walk", "lr=1e-3,1e-2")[1:]
    with monkeypatch.context() as patch:
        patch.setattr(episode_recorder, "write_gif", full)
        assert here(*command) == 0
    out, err = capfd.readouterr()
    assert "no episode.gif: No space left on device" in err
    assert "best/ is trial" in out
    assert not (tmp_path / "best" / "episode.gif").exists()
    assert here(*command) == 0
    assert (tmp_path / "best" / "episode.gif").exists()
    before = (tmp_path / "best" / "episode.gif").stat().st_mtime_ns
    assert here(*command) == 0
    assert (tmp_path / "best" / "episode.gif").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "where", ["dqn.storage.trial_table.TrialTable.write", "dqn.storage.seeds.SeedsTable.order"]
)
@pytest.mark.parametrize("sweep", [False, True])
def test_a_disk_that_fills_once_all_is_trained_keeps_no_table_away(
    where, sweep, tmp_path, capfd, undrawn, monkeypatch
):
    command = asked(tmp_path, "Walk", "seeds=2")
    if sweep:
        command = ["-m", f"hydra.sweep.dir={tmp_path}", *command[1:], "lr=1e-3,1e-2"]
    with monkeypatch.context() as patch:
        patch.setattr("dqn.storage.trial_table.TrialTable.write_if_due", lambda table: None)
        patch.setattr(ResultsDir, "__enter__", lambda folder: patch.setattr(where, full) or folder)
        assert here(*command) == 1
    out, err = capfd.readouterr()
    assert "return" in out
    assert f"results: {tmp_path}" in out
    last = err.splitlines()[-1]
    assert "writing failed (No space left on device); what was finished before is safe" in last
    assert here(*command) == 0
    assert "already trained" in capfd.readouterr().out
    assert rows_of(tmp_path).seed.tolist() == [0, 1] * (1 + sweep)
    trials = pd.read_csv(tmp_path / "trials.csv")
    assert trials.seeds_done.tolist() == [2] * (1 + sweep)


def test_ctrl_c_while_drawing_ends_with_the_table(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(episode_recorder, "save_model", interrupted)
    status, out, lines = run(capfd, tmp_path, "Walk")
    assert status == 130
    assert f"results: {tmp_path}" in out
    assert lines == ["stopped while drawing; the same command draws what is missing"]


def test_curves_that_cannot_be_drawn_meanwhile_do_not_end_a_training(tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("dqn.terminal.drawing._FIRST_CURVES", 0.0)
    monkeypatch.setattr("dqn.plotting.result_pictures.draw_curves", full)
    status, out, lines = run(capfd, tmp_path, "Walk")
    assert (status, lines) == (0, ["no figures: No space left on device"])
    assert f"results: {tmp_path}" in out


# Seeds of 31 bits


def test_reproduce_says_that_the_starts_of_0_1_0_were_others(tmp_path, capfd, undrawn):
    assert run(capfd, tmp_path, "Walk")[0] == 0
    seeds = tmp_path / "seeds.csv"
    (then,) = machines.read(tmp_path)
    (tmp_path / machines.FILE).write_text(
        machines.written([then | {"versions": then["versions"] | {"dqn-study": "0.1.0"}}])
    )
    mean = pd.read_csv(seeds, dtype=str).mean_return[0]
    seeds.write_text(seeds.read_text().replace(f",{mean},", f",{float(mean) + 0.5},"))
    main(["reproduce", str(tmp_path), "--seed", "0"])
    out = capfd.readouterr().out
    assert "its starts were others: version 0.1.0 gave an environment's reset seeds of 32" in out
