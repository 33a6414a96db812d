"""`python -m sweeps report`: the page as text, of every kind of folder; `test_browser` opens it."""

import dataclasses
import json
import re
import shlex
import subprocess
import sys

import hydra
import pytest
import yaml
from omegaconf import OmegaConf
from PIL import Image
from reports import VALIDATION, Reader, _blank_figures  # noqa: F401
from studies import record, sampled, write
from trainings import filled, result

from dqn.compose.compose import CONFIG_NAME, VERSION_BASE
from dqn.compose.help_page import CONF
from dqn.config import Config, EnvConfig
from sweeps.__main__ import COMMANDS, main
from sweeps.report.provenance import run_command

BASE = Config(seeds=3, episodes=30)
HOSTILE = "a, <b>&\"'</script><script>alert(1)</script>"


def report(path, *arguments) -> Reader:
    assert main(["report", str(path), *arguments]) == 0
    return Reader((path / "report.html").read_text(encoding="utf-8"))


def lr_study(tmp_path, trials, **more):
    return write(tmp_path / "a", sampled(trials, BASE, ["lr"]), record(), base=BASE, **more)


@pytest.fixture
def drawn_figures():
    """Draw them."""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    configs = sampled(30, BASE)
    return write(tmp_path_factory.mktemp("report") / "study", configs, record(), base=BASE)


@pytest.mark.usefixtures("drawn_figures")
def test_a_study(study, capsys):
    message = main(["report", str(study), "--json"])
    plain = json.loads(capsys.readouterr().out)
    assert message == 0
    assert (plain["trials"], plain["expected"], plain["metric"]) == (30, 30, "mean_return")
    page = Reader((study / "report.html").read_text(encoding="utf-8"))
    assert f"Trial {plain['best']} is best: mean return" in page.text
    assert "The number is optimistic" in page.text
    assert plain["importance"][0]["hyperparameter"] == "lr"
    names = {path.rpartition("/")[2] for path in plain["figures"]}
    hyperparameters = ("lr", "gamma", "hidden", "train_freq")
    assert names == {
        "best_curve.png", "importance.png", "axes.png", "pair.png", "failures.png",
        *(f"{kind}_{hyperparameter}.png" for kind in ("influence", "curves") for hyperparameter in
        hyperparameters),
    } - ({"failures.png"} - names)  # fmt: skip
    for path in plain["figures"]:
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 20
    assert page.tags.count("figure") == page.tags.count("img") == len(names)
    assert {name.removeprefix("figures/") for name in page.without_javascript} == names


def test_the_page_asks_no_network(study):
    page = report(study)
    assert all(re.match(r"#|data:", reference) for reference in page.references)
    style = next(text for text in page.scripts if ":root" in text)
    assert "url(" not in style
    assert "@import" not in style


def test_a_run(tmp_path):
    filled(tmp_path / "a", *(result(0, seed, returns=range(30)) for seed in range(3)))
    page = report(tmp_path / "a")
    assert "Mean return 14.5 [14.5, 14.5] over 3 seeds." in page.text
    assert "Nothing was varied." in page.text
    assert "Leaderboard" not in page.text
    assert "optimistic" not in page.text


def test_one_of_a_thing_is_told_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dqn.terminal.console._FIRST", -1.0)
    monkeypatch.setattr("dqn.terminal.console._PAUSE", 0.0)
    filled(tmp_path / "a", result(returns=range(30)))
    report(tmp_path / "a")
    text = capsys.readouterr()
    assert "working out what 1 trial says ..." in text.err
    assert "\n1 figure: " in text.out
    assert "1 of 1 training solved" not in text.out
    assert "of 1 training solved the task" in text.out


def test_a_half_finished_run_says_so(tmp_path):
    filled(tmp_path / "a", result(0, 0))
    page = report(tmp_path / "a")
    assert "Half-finished: 1 of 3 seeds." in page.text
    assert "Mean return 20.0 over 1 seed." in page.text


def test_a_half_finished_study_says_so(tmp_path):
    page = report(lr_study(tmp_path, 7))
    assert "7 of 30 trials: the others are not done yet" in page.text
    assert "is best so far" in page.text
    assert "PED-ANOVA needs 20 trials, here are 7." in page.text


def test_a_table_of_points_is_whole_with_its_last_point(tmp_path):
    points = [BASE, *(dataclasses.replace(BASE, lr=lr) for lr in (1e-4, 1e-2))]
    sweep = record({"lr": "choice(0.0001,0.001,0.01)"}, n_trials=40,
                   sampler={"_target_": "sweeps.search.samplers.OneAtATime"})  # fmt: skip
    page = report(write(tmp_path / "a", points, sweep, base=BASE))
    assert "trials: the others" not in page.text
    assert "lr: best at 0.001" in page.text
    assert "does not apply" in page.text


def test_one_trial_of_a_study(tmp_path):
    page = report(write(tmp_path / "a", [BASE], record(n_trials=1), base=BASE))
    assert "Trial 0 is best: mean return" in page.text
    assert "nothing was varied" in page.text


@pytest.mark.parametrize("status", ["failed", "diverged"])
def test_all_trials_lost(tmp_path, status):
    path = lr_study(tmp_path, 25, status=lambda trial, seed: status)
    page = report(path, "--metric", "test_return")
    assert f"No trial has a finite test: of 75 trainings 75 {status}." in page.text
    assert "0 of 75 trainings solved the task, 75 diverged or failed." in page.text
    assert "optimistic" not in page.text


def test_pruned_and_lost_trials_are_counted(tmp_path):
    ends = {0: "pruned", 1: "diverged"}
    path = lr_study(tmp_path, 30, status=lambda trial, seed: ends.get(trial % 5, "done"))
    page = report(path, "--metric", "test_return")
    assert "6 of 30 trials were pruned, with 67% of their budget unused on average" in page.text
    assert "Of 72 trainings that were not pruned 18 diverged or failed" in page.text
    assert "6 trials without a finite value: not drawn, counted as worst." in page.text
    assert (path / "figures" / "pruned.png").exists()
    assert (path / "figures" / "failures.png").exists()


def test_what_was_validated_is_the_headline(study, tmp_path):
    path = lr_study(tmp_path, 30)
    main(["report", str(path)])
    found = re.compile(r"<tr><td>[12]</td><td>(\d+)</td>")
    first, second, *_ = found.findall((path / "report.html").read_text())
    (path / "validation.csv").write_text(VALIDATION.format(best=first, second=second))
    page = report(path)
    assert (
        f"Trial {second} is best: mean return 85.2 [82.0, 88.0] on 50 new seeds that it was not "
        "chosen by." in page.text
    )
    assert "9.8 of that was luck" in page.text
    assert "with probability 0.97 [0.90, 1.00]" in page.text
    assert f"--trial {second} --seed 0" in page.text
    other = report(path, "--metric", "final_return")
    assert "The number is optimistic" in other.text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("99.5", "much", "validation.csv, line 2: column claimed must be a number, is 'much'"),
        (",True", ",yes", "line 3: column recommended must be True or False, is 'yes'"),
        ("held_out,", "held,", "line 2: column held_out must be a number, is missing"),
    ],
)
def test_a_validation_edited_by_hand_is_refused(tmp_path, capsys, old, new, text):
    path = lr_study(tmp_path, 3)
    (path / "validation.csv").write_text(VALIDATION.format(best=0, second=1).replace(old, new, 1))
    assert main(["report", str(path)]) == 1
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1


def test_names_and_values_stay_text(tmp_path):
    configs = [
        Config(env=EnvConfig("CartPole-v0", 200, 195.0, {"note": note}), seeds=3, episodes=30)
        for note in (HOSTILE, "$5 and $6")
    ]
    path = tmp_path / HOSTILE.replace("/", "_")
    sweep = record({"env.kwargs.note": f"choice({HOSTILE})"}, n_trials=2)
    write(path, configs, sweep, base=configs[0], swept=("env.kwargs.note",))
    page = report(path)
    assert "<b>" in page.text
    assert "b" not in page.tags
    assert not any(
        "alert" in text and "config" not in text for text in page.scripts if "{" not in text
    )
    assert page.text.count("alert(1)") > 1
    whole = (path / "report.html").read_text(encoding="utf-8")
    assert whole.count("</script>") == page.tags.count("script")


def test_episodes_that_cannot_be_read_cost_the_curves_alone(tmp_path):
    path = lr_study(tmp_path, 8)
    part = path / "episodes.parquet" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    page = report(path)
    assert "No learning curves:" in page.text
    assert "cannot be read as Parquet" in page.text
    assert (path / "figures" / "influence_lr.png").exists()
    assert not (path / "figures" / "curves_lr.png").exists()


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("nowhere", 2, "nowhere: must be a folder of results"),
        ("begun", 2, "begun: must hold a finished training, holds none yet"),
        ("torn", 1, "torn/seeds.csv, line 3: column lr must be a number, is 'fast'"),
        ("cut", 1, "cut/seeds.csv, line 1: the columns must be those of seeds.csv; missing: gamma"),
    ],
)
def test_refusals_are_one_line(tmp_path, monkeypatch, capsys, name, status, message):
    monkeypatch.chdir(tmp_path)
    filled(tmp_path / "begun")
    for one in ("torn", "cut"):
        filled(tmp_path / one, *(result(0, seed) for seed in range(3)))
    lines = (tmp_path / "torn" / "seeds.csv").read_text().splitlines()
    lines[2] = lines[2].replace(",0.001,", ",fast,", 1)
    (tmp_path / "torn" / "seeds.csv").write_text("\n".join([*lines, ""]))
    cut = tmp_path / "cut" / "seeds.csv"
    cut.write_text(cut.read_text().replace(",gamma,", ",gamme,", 1))
    assert main(["report", name]) == status
    text = capsys.readouterr()
    assert text.out == ""
    assert text.err.count("\n") == 1
    assert message in text.err
    assert not (tmp_path / name / "report.html").exists()


def test_a_picture_of_the_user_is_refused_before_a_page_is_written(tmp_path, capsys):
    filled(tmp_path / "a", *(result(0, seed, returns=range(30)) for seed in range(3)))
    (tmp_path / "a" / "figures").mkdir()
    (tmp_path / "a" / "figures" / "best_curve.png").write_bytes(b"mine")
    assert main(["report", str(tmp_path / "a")]) == 2
    assert "best_curve.png: would be replaced" in capsys.readouterr().err
    assert not (tmp_path / "a" / "report.html").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, capsys):
    filled(tmp_path / "a", result())
    (tmp_path / "a" / "figures").write_text("in the way")
    assert main(["report", str(tmp_path / "a")]) == 1
    assert "a: must be writable, is not (File exists)" in capsys.readouterr().err


def test_a_thousand_trials_stay_below_two_megabytes(tmp_path):
    base = Config(seeds=1, episodes=20)
    path = write(tmp_path / "a", sampled(1000, base), record(seeds=1, n_trials=1000), base=base,
                 seeds=1, episodes=20)  # fmt: skip
    page = report(path)
    assert (path / "report.html").stat().st_size < 2e6
    assert "Show all 1,000" in page.text
    rows = next(json.loads(text) for text in page.scripts if text.startswith("[["))
    assert len(rows) == 1000
    assert page.tags.count("tr") < 250


BUILT = """
import sys
from pathlib import Path
from dqn.storage.reader import read
from sweeps.report.build import build
path = Path(sys.argv[1])
assert build(read(path), None, path / "figures").html
print(*sorted({"matplotlib", "plotly", "scipy", "tensorflow", "PIL"} & {*sys.modules}))
"""


def test_a_page_waits_for_no_plotting_library(study):
    command = [sys.executable, "-c", BUILT, str(study)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(lr=1.1781448719376517e-05, hidden=(128,), double=True, huber_delta=1.0, seeds=10),
        Config(env=EnvConfig("Acrobot-v1", 500, -100.0), episodes=0, steps=1000),
        Config(env=EnvConfig("ALE/Pong-v5", None, 3.5, {"a": {"b": 'it\'s, "1"'}, "c": "true"})),
        Config(env=EnvConfig("LunarLander-v3", 77, None, {"gravity": -9.5, "wind": True})),
        Config(env=EnvConfig("A-v0", kwargs={"a": "b" * 70, "c": [{"d e": [None, "f"]}, "1"]})),
    ],
)
def test_the_command_of_a_configuration_composes_to_it(config):
    python, dash, module, *overrides = shlex.split(run_command(config))
    assert (python, dash, module) == ("python", "-m", "dqn.run")
    with hydra.initialize_config_dir(str(CONF), version_base=VERSION_BASE):
        composed = hydra.compose(CONFIG_NAME, overrides=overrides)
    assert Config.from_mapping(yaml.safe_load(OmegaConf.to_yaml(composed))) == config


def test_other_commands_do_not_wait_for_plotly():
    code = (
        "import sys; from sweeps.__main__ import main, _parser; _parser();"
        "print({'plotly', 'matplotlib', 'optuna', 'tensorflow', 'hydra'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_help_says_of_which_command_its_examples_are(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert "\nexamples\n" not in text
    for name in COMMANDS:
        assert text.count(f"\nexamples of {name}\n  ") == 1
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    assert "\nexamples\n" in capsys.readouterr().out


def test_metric_is_one_of_ours(study, capsys):
    assert main(["report", str(study), "--metric", "speed"]) == 2
    assert "invalid choice: 'speed'" in capsys.readouterr().err
