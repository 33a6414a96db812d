"""`python -m sweeps compare`, from made-up trainings whose numbers are known."""

import dataclasses
import subprocess
import sys

import pytest
from sweep_commands import plain, refusal
from trainings import CONFIG, filled, result

from dqn.config import EnvConfig
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main

GRID = {"kind": "grid", "seeds": 3, "params": {"lr": ["0.01", "0.1"]}}


def run(path, level=10.0, config=CONFIG, seeds=range(3), **changes):
    of_seeds = [
        result(0, seed, returns=[level + seed] * 12, config=config, **changes) for seed in seeds
    ]
    filled(path, *of_seeds, config=config)
    return str(path)


def grid(path):
    configs = [dataclasses.replace(CONFIG, lr=lr) for lr in (0.01, 0.1)]
    of_seeds = [
        result(trial, seed, returns=[level + seed] * 12, config=configs[trial])
        for trial, level in enumerate([20.0, 40.0])
        for seed in range(3)
    ]
    filled(path, *of_seeds, sweep=GRID, swept=("lr",))
    return str(path)


def compared(capsys, *arguments):
    status, text = plain(capsys, "compare", *arguments)
    assert status == 0
    return text


def test_two_runs_by_hand(tmp_path, capsys):
    slow = dataclasses.replace(CONFIG, lr=1e-4)
    both = run(tmp_path / "a", 10.0), run(tmp_path / "b", 11.0, slow)
    text = compared(capsys, *both)
    first, second = text["candidates"]
    assert (first["mean_return"], second["mean_return"]) == (11.0, 12.0)
    assert (first["mean_return_low"], first["mean_return_high"]) == (10.0, 12.0)
    assert (first["solved"], first["steps"], first["seeds"]) == (0.0, 132, [0, 1, 2])
    assert text["differ"] == {"lr": [1e-3, 1e-4]}
    (against,) = text["against_first"]
    assert against["paired"]
    assert against["improvement"] == pytest.approx((6 + 0.5 * 2) / 9)  # of 10 11 12, 11 12 13
    assert against["difference"] == 1.0
    assert against["difference_interval"] == [1.0, 1.0]  # each seed by itself is 1 better
    assert (against["test"], against["p_value"]) == ("Wilcoxon signed-rank", 0.25)  # 2 of 2³ signs


def test_every_statistic_of_the_metric_by_hand(tmp_path, capsys):
    path = tmp_path / "a"
    levels = (100.0, 120.0, 130.0, 190.0, 200.0)
    filled(path, *(result(0, s, returns=[x] * 12) for s, x in enumerate(levels)))
    (one,) = compared(capsys, str(path))["candidates"]
    found = one["statistics"]
    assert found["iqm"] == one["mean_return"] == pytest.approx(440 / 3)
    assert (found["mean"], found["median"]) == (148.0, 130.0)
    assert found["optimality_gap"] == 48.0  # to 195: 95 + 75 + 65 + 5 + 0 of 5 seeds
    assert 100 <= found["mean_low"] < 148 < found["mean_high"] <= 200
    assert main(["compare", str(path)]) == 0
    text = capsys.readouterr().out
    assert "optimality gap" in text
    assert "130.0 [100.0, 200.0]" in text
    assert "to 195" in text
    assert compared(capsys, str(path), "--metric", "collapse")["candidates"][0]["statistics"][
        "optimality_gap"
    ] is None  # fmt: skip


def test_a_training_that_lost_more_than_half_of_its_best_has_collapsed(tmp_path, capsys):
    path = tmp_path / "a"
    fallen, halved = [0.0, *[20.0] * 10, *[9.0] * 10], [0.0, *[20.0] * 10, *[10.0] * 10]
    filled(path, *(result(0, s, returns=x) for s, x in enumerate((fallen, halved, [20.0] * 12))))
    assert compared(capsys, str(path))["candidates"][0]["collapsed"] == pytest.approx(1 / 3)
    assert main(["compare", str(path)]) == 0
    text = capsys.readouterr().out
    assert "> 0.5" in text
    assert "1 of 3" in text


def test_an_infinite_setting_is_text_in_json(tmp_path, capsys):
    both = (
        run(tmp_path / "a"),
        run(tmp_path / "b", config=dataclasses.replace(CONFIG, huber_delta=1)),
    )
    assert compared(capsys, *both)["differ"] == {"huber_delta": ["inf", 1.0]}


def test_the_table_lines_up_and_says_what_differs(tmp_path, capsys):
    other = dataclasses.replace(CONFIG, hidden=(8,), double=True)
    both = run(tmp_path / "a"), run(tmp_path / "longer_name", 11.0, other, seeds=(0, 1))
    assert main(["compare", *both]) == 0
    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if "mean return" in line]
    column = lines[0].index("mean return") + len("mean return")
    numbers = [line for line in text.splitlines() if line.strip().startswith(("a ", "longer_name"))]
    assert numbers[0][:column].endswith("11.0")
    assert numbers[1][:column].endswith("11.5")
    assert "hidden      [64,64]          [8]" in text
    assert "double        false         true" in text
    assert "not the same" in text
    assert "longer_name: 1 of its 3 seeds are not in" in text
    assert max(map(len, text.splitlines())) <= 120


def test_seeds_that_differ_are_not_paired(tmp_path, capsys):
    both = run(tmp_path / "a"), run(tmp_path / "b", 10.0, seeds=(0, 1))
    (against,) = compared(capsys, *both)["against_first"]
    assert not against["paired"]
    assert against["improvement"] == pytest.approx(2 / 6)  # 10 11 against 10 11 12: ½ + 1 + ½
    assert against["test"] == "Mann-Whitney U"
    assert 0.5 < against["p_value"] < 1.0


def test_a_sweep_stands_for_its_best_trial_or_the_one_named(tmp_path, capsys):
    folder = grid(tmp_path / "lr")
    text = compared(capsys, folder, f"{folder}:0")
    assert [one["trial"] for one in text["candidates"]] == [1, 0]
    assert [one["name"] for one in text["candidates"]] == ["lr:1", "lr:0"]
    assert text["differ"] == {"lr": [0.1, 0.01]}


def test_better_is_what_the_metric_calls_so(tmp_path, capsys):
    both = (
        run(tmp_path / "a", 10.0, test_returns=[20.0]),
        run(tmp_path / "b", 200.0, test_returns=[10.0]),
    )
    by = {
        metric: compared(capsys, *both, "--metric", metric)["against_first"][0]
        for metric in ("mean_return", "test_return", "solved_at")
    }
    assert by["mean_return"]["improvement"] == 1.0
    assert by["test_return"]["improvement"] == 0.0
    assert by["solved_at"]["improvement"] == 1.0  # at episode 10 against never
    assert by["solved_at"]["difference"] is None  # never has no number


def test_a_diverged_seed_counts(tmp_path, capsys):
    good = run(tmp_path / "a")
    bad = run(tmp_path / "b", 10.0, status="diverged", test_returns=[])
    (against,) = compared(capsys, good, bad, "--metric", "test_return")["against_first"]
    assert against["improvement"] == 0.0
    assert main(["compare", good, bad]) == 0
    assert "3 diverged" in capsys.readouterr().out


def test_another_budget_or_environment_is_refused_unless_asked_for(tmp_path, capsys):
    longer = dataclasses.replace(CONFIG, episodes=300)
    other = dataclasses.replace(CONFIG, env=EnvConfig("CartPole-v1", None, None))
    three = (
        run(tmp_path / "a"), run(tmp_path / "b", 9.0, longer), run(tmp_path / "c", 9.0, other),
    )  # fmt: skip
    status, text = refusal(capsys, "compare", *three)
    assert status == 2
    assert "CartPole-v0 max_episode_steps=200 solved_return=195.0 for 150 episodes" in text
    assert "for 300 episodes; add --anyway" in text
    assert main(["compare", *three, "--anyway"]) == 0
    text = capsys.readouterr().out
    assert "* another task or budget than a: CartPole-v1 for 150 episodes" in text
    assert [one["comparable"] for one in compared(capsys, *three, "--anyway")["candidates"]] == [
        True, False, False,
    ]  # fmt: skip


def test_figures_are_drawn_where_they_are_wanted(tmp_path, capsys):
    from PIL import Image

    both = run(tmp_path / "a"), run(tmp_path / "b", 20.0, seeds=(0,))
    text = compared(capsys, *both, "--out", str(tmp_path / "drawn"))
    assert sorted(file.name for file in (tmp_path / "drawn").iterdir()) == [
        "learning_curves.png", "performance_profiles.png",
    ]  # fmt: skip
    for path in text["figures"]:
        with Image.open(path) as image:
            assert image.size[0] > 500
            assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 50


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["nowhere"], 2, "nowhere: must be a folder of results"),
        (["a:9"], 2, "trial 9 must have a row in seeds.csv, has none; its trials go from 0 to 0"),
        (["a:x"], 2, "what follows the colon must be a trial's number, got 'x'"),
        (["a", "--metric", "speed"], 2, "invalid choice: 'speed'"),
        ([], 2, "required: DIR"),
        (["a", "--out", "a/seeds.csv"], 2, "--out must be a folder that can be written to"),
        (["torn"], 1, "torn/seeds.csv, line 3: column lr must be a number, is 'fast'"),
        (["begun"], 2, "begun: must hold a finished training, holds none yet"),
    ],
)
def test_refusals_are_one_line(tmp_path, monkeypatch, capsys, arguments, status, part):
    monkeypatch.chdir(tmp_path)
    run(tmp_path / "a")
    run(tmp_path / "torn")
    table = tmp_path / "torn" / "seeds.csv"
    lines = table.read_text().splitlines()
    lines[2] = lines[2].replace(",0.001,", ",fast,", 1)
    table.write_text("\n".join([*lines, ""]))
    filled(tmp_path / "begun")
    text = refusal(capsys, "compare", *arguments)
    assert text[0] == status
    assert part in text[1]


def test_reading_changes_nothing_and_may_happen_while_another_writes(tmp_path, capsys):
    path = tmp_path / "a"
    run(path)
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    with ResultsDir(path, CONFIG):
        written = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
        assert main(["compare", str(path)]) == 0
        assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == written
    assert before.keys() == written.keys()


def test_neither_tensorflow_nor_optuna_is_needed(tmp_path):
    code = (
        "import sys; from sweeps.__main__ import main; status = main(sys.argv[1:]);"
        "print(sorted({'tensorflow', 'keras', 'optuna', 'hydra', 'matplotlib'} & {*sys.modules}));"
        "sys.exit(status)"
    )
    folder = run(tmp_path / "a")
    for arguments in (["compare", folder], ["--help"], ["compare", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        if arguments != ["compare", "--help"] and arguments != ["--help"]:
            assert done.stdout.splitlines()[-1] == "[]"
        else:
            assert "python -m sweeps compare outputs/runs/a" in done.stdout
