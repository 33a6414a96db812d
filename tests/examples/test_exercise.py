"""`python -m examples.exercise`: numbers by hand, and a page that says what the folders say."""

import dataclasses

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from trainings import filled, result

from dqn.config import Config, EnvConfig
from dqn.storage.results_dir import ResultsDir
from dqn.storage.safe_yaml import written
from examples.exercise.__main__ import main
from examples.exercise.figures import draw_influence, draw_losses, growth, realised
from examples.exercise.influence import influence, ranked
from sweeps.analysis.candidates import read_candidate

CARTPOLE = "gymnasium.envs.classic_control:CartPoleEnv"
gymnasium.register("Unlisted-v0", CARTPOLE, max_episode_steps=200)
BASE = Config(seeds=8, episodes=30)
SWEPT = ("lr", "hidden", "huber_delta")
STUDY = {"kind": "study", "seeds": 8}


def rising(seed, level, config=BASE, trial=0, growing=1.0):
    """30 episodes whose return and Q rise, and whose loss is 1 at first and `growing` at last."""
    returns = np.linspace(10.0, level + seed, 30).round()
    loss = np.linspace(1.0, growing, 30)
    return result(trial, seed, returns=returns, config=config, loss=loss, q=returns / 10.0)


def run(path, level, seeds=8, **changes):
    config = dataclasses.replace(BASE, **changes)
    filled(path, *(rising(seed, level, config, growing=3.0) for seed in range(seeds)),
           config=config)  # fmt: skip
    return str(path)


def study(path, *changes, level=50.0, seeds=8, cut=None, base=BASE, **sweep):
    """Trial 0 is the base; trials of `cut` have as many seeds as it says instead of all."""
    base = dataclasses.replace(base, seeds=seeds)
    with ResultsDir(path, base, {**STUDY, "seeds": seeds, **sweep}, swept=SWEPT) as folder:
        for trial, change in enumerate(({}, *changes)):
            config = dataclasses.replace(base, **change)
            for seed in range((cut or {}).get(trial, seeds)):
                folder.add(rising(seed, level + 20.0 * trial, config, trial))
    return str(path)


def pruned(path, trial, seed):
    """Change what the row of a training says of its end."""
    text = pd.read_csv(f"{path}/seeds.csv", dtype=str)
    text.loc[(text["trial"] == str(trial)) & (text["seed"] == str(seed)), "status"] = "pruned"
    text.to_csv(f"{path}/seeds.csv", index=False)


def made(tmp_path, *arguments):
    """The page of `progress`, which must succeed."""
    assert main([*arguments, "--out", str(tmp_path / "page")]) == 0
    return (tmp_path / "page" / "exercise.md").read_text()


def refused(capsys, *arguments):
    """The one line that `progress` ends with."""
    capsys.readouterr()
    assert main([*arguments]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text.strip()


def three(tmp_path, **shared):
    return [run(tmp_path / "exercise", 50.0, **shared),
            run(tmp_path / "scaled", 90.0, reward_scale=0.01, **shared),
            run(tmp_path / "recommended", 150.0, lr=0.002, **shared)]  # fmt: skip


def test_growth_by_hand():
    loss = [np.nan, *[2.0] * 10, 9.0, *[6.0] * 10]
    frame = pd.DataFrame({"seed": [0] * 22 + [1] * 22, "loss": [*loss, *loss[:12], *([1.0] * 10)]})
    grown = growth(frame, "loss")
    assert grown is not None
    assert (grown.ratio, grown.ends) == (1.75, (0.5, 3.0))  # of 6 / 2 and 1 / 2
    assert (grown.higher, grown.seeds) == (1, 2)
    assert growth(frame.head(15), "loss") is None  # no two windows apart


def test_what_followed_is_the_sum_that_a_loop_adds_up(tmp_path):
    one = read_candidate(run(tmp_path / "a", 200.0, gamma=0.9, reward_scale=0.5))
    frame = pd.DataFrame({"length": [1, 3, 200]})
    sums = [np.mean([sum(0.5 * 0.9**k for k in range(n)) for n in range(1, T + 1)]) for T in (1, 3)]
    assert realised(one, frame) == pytest.approx([*sums, 0.5 / 0.1])  # at 200 it goes on for ever
    ends = read_candidate(run(tmp_path / "b", 200.0, gamma=0.9, timeout_terminal=True))
    over = np.mean([(1 - 0.9**n) / 0.1 for n in range(1, 201)])
    assert realised(ends, frame)[2] == pytest.approx(over)


def test_hyperparameters_are_trials_that_differ_from_the_base_in_one_key(tmp_path):
    both = {"lr": 0.01, "hidden": (128, 128)}
    path = study(tmp_path / "s", {"lr": 0.01}, {"hidden": (32, 32)}, both, {"hidden": (16,)})
    found = influence(read_candidate(path).results).hyperparameters
    assert list(found) == ["lr", "hidden"]
    assert [(level.value, level.is_base) for level in found["lr"]] == [(0.001, True), (0.01, False)]
    assert [level.value for level in found["hidden"]] == ["16", "32x32", "64x64"]
    assert [(name, best.value) for name, best, _ in ranked(found)] == [
        ("hidden", "16"),
        ("lr", 0.01),
    ]
    assert found["lr"][1].against_base.improvement.value > 0.9


def test_the_page_says_what_the_folders_say(tmp_path, capsys):
    path = study(tmp_path / "hyperparameters", {"huber_delta": 1.0}, {"lr": 0.01})
    out = tmp_path / "page"
    assert main([*three(tmp_path), path, "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"written: {out / name}"
        for name in ("exercise.md", "losses.png", "values.png", "hyperparameters.png")
    ]
    page = (out / "exercise.md").read_text()
    assert "Each run has 8 seeds. How many a sweep has is said with its results." in page
    assert "higher in 8 of 8 seeds" in page
    assert "In `exercise` and `scaled` and `recommended` both grew." in page
    assert "| `lr` | 20.0 | 0.01: 5" in page
    assert "a seed with scaled rewards beats one without with P = 1.00" in page
    assert "`recommended` differs from `exercise` in `lr=0.002`" in page
    assert "Huber’s loss beats the squared error with P = " in page
    for name in ("losses.png", "values.png", "hyperparameters.png"):
        assert f"({name})" in page
        assert (out / name).stat().st_size > 5_000


def test_what_values_are_held_against_is_known_of_the_task_or_not_spoken_of(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr(
        "examples.exercise.figures.write_panels",
        lambda _path, _plots, title, *_: titles.append(title),
    )
    for env, known in (("CartPole-v1", True), ("MountainCar-v0", False)):
        page = made(tmp_path, *three(tmp_path / env, env=EnvConfig(env)))
        assert page.startswith(f"# Deep Q-Networks on {env[:-3]}: ")
        assert (f"in {env[:-3]}, which pays the same at every step" in page) == known
        assert ("times what followed" in page) == known
        assert ("CartPole" in page) == known
        assert ("what followed" in titles.pop()) == known


def test_runs_and_sweeps_each_tell_their_seeds(tmp_path):
    path = study(tmp_path / "few", {"huber_delta": 1.0}, {"reward_scale": 0.1}, seeds=4)
    exercise, _, recommended = three(tmp_path)
    scaled = run(tmp_path / "cut", 90.0, seeds=5, reward_scale=0.01)
    page = made(tmp_path, exercise, scaled, recommended, path)
    assert "Of seeds `exercise` has 8, `cut` has 5 of its 8, `recommended` has 8." in page
    assert "Sweep `few`: 3 settings, 4 seeds a setting.\n" in page
    assert "Around reward_scale=1 (`few`, 4 seeds a setting), δ = 1 instead" in page
    assert "tried alone in `few` (4 seeds a setting), 0.1 did best" in page


def test_what_a_stopped_sweep_has_not_trained_is_left_out_and_counted(tmp_path):
    changes = {"lr": 0.01}, {"hidden": (32, 32)}, {"lr": 0.1}
    path = study(tmp_path / "s", *changes, cut={3: 1}, n_trials=7)
    found = influence(read_candidate(path).results)
    assert {
        name: [level.value for level in levels] for name, levels in found.hyperparameters.items()
    } == {
        "lr": [0.001, 0.01],
        "hidden": ["32x32", "64x64"],
    }
    runs = three(tmp_path)
    page = made(tmp_path, *runs, path)
    assert (
        "Sweep `s`: 7 settings, 8 seeds a setting. Left out of them: 3 not trained, 1 not with all "
        "their seeds.\n" in page
    )
    assert "| `lr` | 10.0 | 0.01: 4" in page
    worse = study(tmp_path / "w", {"lr": 0.01}, level=50.0, n_trials=3, seeds=2)
    page = made(tmp_path, *runs, worse)
    assert "No other value of any hyperparameter so far beats the base's" in page


def test_trials_beyond_those_last_asked_for_are_not_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("examples.exercise.influence.expected", lambda _: 1)
    found = influence(read_candidate(study(tmp_path / "s", {"lr": 0.01}, {"lr": 0.1})).results)
    assert found.settings == 3
    assert not any(found.left_out.values())


def test_a_seed_that_was_pruned_is_not_a_trained_one(tmp_path):
    path = study(tmp_path / "s", {"lr": 0.01}, {"lr": 0.1})
    pruned(path, trial=2, seed=3)
    found = influence(read_candidate(path).results)
    assert [level.value for level in found.hyperparameters["lr"]] == [0.001, 0.01]
    assert found.left_out["not with all their seeds"] == 1


def test_a_race_has_settings_of_fewer_seeds(tmp_path):
    changes = {"lr": 0.01}, {"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}
    path = study(tmp_path / "s", *changes, cut={1: 2, 2: 3, 4: 3}, racing=[2, 8])
    pruned(path, trial=4, seed=2)  # two of its seeds are as many as a stage has
    found = influence(read_candidate(path).results)
    assert [level.value for level in found.hyperparameters["lr"]] == [0.001, 0.01, 0.2]
    assert found.seeds == "2 to 8 seeds"
    assert found.left_out["not with all their seeds"] == 2


def test_one_seed_a_setting_makes_nothing_sure(tmp_path):
    page = made(tmp_path, *three(tmp_path), study(tmp_path / "s", {"lr": 0.01}, seeds=1))
    assert "Sweep `s`: 2 settings, 1 seed a setting." in page
    assert "| not known |" in page
    assert "No other value of any hyperparameter beats" in page


def test_a_grid_of_two_hyperparameters_says_what_stands_in_none(tmp_path):
    both = {"lr": 0.01, "hidden": (32, 32)}
    path = study(tmp_path / "g", {"lr": 0.01}, {"hidden": (32, 32)}, both)
    page = made(tmp_path, *three(tmp_path), path)
    assert "4 settings, 8 seeds a setting. Left out of them: 1 unlike the base in several" in page


def test_the_probability_is_of_the_metric_in_the_table(tmp_path):
    path = study(tmp_path / "s", {"lr": 0.01}, objective="test_return")  # equal in the test
    found = influence(read_candidate(path).results).hyperparameters
    assert found["lr"][1].against_base.improvement.value > 0.9


BUDGETS = (
    "what is compared must share environment and budget, got exercise: CartPole-v0 "
    "max_episode_steps=200 solved_return=195.0 for 30 episodes, and {}: CartPole-v0 "
    "max_episode_steps=200 solved_return=195.0 for {}; leave that out, or train it with the same"
)


def test_other_budgets_and_environments_are_refused(tmp_path, capsys):
    good = three(tmp_path)
    longer = run(tmp_path / "longer", 150.0, episodes=40)
    assert refused(capsys, *good[:2], longer) == BUDGETS.format("longer", "40 episodes")
    other = run(tmp_path / "v1", 150.0, env=EnvConfig("CartPole-v1", 500, 475.0))
    assert "and v1: CartPole-v1 max_episode_steps=500" in refused(capsys, *good[:2], other)
    base = dataclasses.replace(BASE, steps=900)
    path = study(tmp_path / "steps", {"lr": 0.01}, base=base)
    text = refused(capsys, *good, path)
    assert text == BUDGETS.format("steps:0", "30 episodes or 900 steps")
    path = study(tmp_path / "hyperparameter", {"episodes": 10})  # within the sweep, too
    assert refused(capsys, *good, path) == BUDGETS.format("hyperparameter:1", "10 episodes")


def test_sweeps_around_one_base_have_headings_and_names_of_their_own(tmp_path, capsys):
    one, other = (study(tmp_path / name, {"lr": 0.01}) for name in ("one", "other"))
    page = made(tmp_path, *three(tmp_path), one, other)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert len(set(headings)) == len(headings)
    assert "## What does each parameter do, around reward_scale=1 (`other`)?" in headings
    runs = [str(tmp_path / name) for name in ("exercise", "scaled", "recommended")]
    values = study(tmp_path / "values", {"lr": 0.01})
    for sweeps, got in (((one, one), "one twice"), ((values,), "values")):
        assert refused(capsys, *runs, *sweeps) == (
            "each SWEEP must be a folder with a name of its own, losses and values excepted, got "
            f"{got}; rename it"
        )


def test_the_page_has_the_names_of_the_folders(tmp_path):
    them = [run(tmp_path / "a", 50.0), run(tmp_path / "b", 90.0, reward_scale=0.1),
            run(tmp_path / "c", 150.0)]  # fmt: skip
    page = made(tmp_path, *them)
    assert "a seed of `c` beats one of `b` with P = 1.00" in page
    assert "`c` differs from `a` in nothing." in page
    assert "`recommended`" not in page
    assert "sweep" not in page.partition("## ")[0]


def test_the_page_ends_with_its_own_command(tmp_path, monkeypatch):
    home = tmp_path / "home"
    three(home / "out puts")
    for name in ("exercise", "scaled", "recommended"):
        overrides = {"hydra": [], "task": [f"name={name}"]}
        node = {"hydra": {"overrides": overrides, "runtime": {"cwd": str(home)}}}
        (home / "out puts" / name / ".hydra").mkdir()
        (home / "out puts" / name / ".hydra" / "hydra.yaml").write_text(written(node))
    study(home / "out puts" / "hyperparameters", {"lr": 0.01})
    monkeypatch.chdir(home / "out puts")
    assert main(["exercise", "scaled/", "./recommended"]) == 0
    lines = (home / "out puts" / "exercise" / "exercise.md").read_text().splitlines()
    assert lines[-6:-1] == [
        *(f"python -m dqn.run name={name}" for name in ("exercise", "scaled", "recommended")),
        "cd 'out puts'",
        "python -m examples.exercise exercise scaled/ ./recommended",
    ]
    page = made(tmp_path, "exercise", "scaled", "recommended", "hyperparameters")
    assert page.splitlines()[-3:-1] == [  # where the last was typed is not known
        "# hyperparameters: no record of its command",
        f"python -m examples.exercise exercise scaled recommended hyperparameters --out "
        f"{tmp_path / 'page'}",
    ]


def test_runs_in_another_order_are_refused(tmp_path, capsys):
    exercise, scaled, recommended = three(tmp_path)
    text = (
        "the second run must have a smaller reward_scale than the first, got {}: {}, then {}: {}; "
        "give them in the order EXERCISE SCALED RECOMMENDED"
    )
    assert refused(capsys, scaled, exercise, recommended) == text.format(
        "scaled", 0.01, "exercise", 1
    )
    assert refused(capsys, exercise, recommended, scaled) == text.format(
        "exercise", 1, "recommended", 1
    )


def test_what_else_the_scaled_run_changed_is_said(tmp_path):
    exercise, _, recommended = three(tmp_path)
    both = run(tmp_path / "both", 90.0, reward_scale=0.01, lr=0.01)
    assert "`both` differs in `lr=0.01` too: its effect" in made(
        tmp_path, exercise, both, recommended
    )


def test_returns_that_are_not_discounted_have_no_bound(tmp_path):
    them = [run(tmp_path / str(n), 50.0, gamma=1.0, reward_scale=scale)
            for n, scale in enumerate((1.0, 0.1, 1.0))]  # fmt: skip
    assert "With γ = 1 the values grow with the episodes" in made(tmp_path, *them)


@pytest.mark.parametrize(
    ("env", "bound"),
    [
        ("CartPole-v1", "go up to 1/(1 − γ) = 100, far"),
        ("MountainCar-v0", "go down to -1/(1 − γ) = -100, far"),
        ("Unlisted-v0", "are sums of many rewards, far"),
    ],
)
def test_how_far_values_go_depends_on_what_a_step_pays(tmp_path, env, bound):
    page = made(tmp_path, *three(tmp_path, env=EnvConfig(env)))
    assert f"With γ = 0.99 the values {bound} from the small outputs" in page


def test_only_a_base_with_the_squared_error_says_what_huber_does_instead(tmp_path):
    huber = dataclasses.replace(BASE, huber_delta=1.0)
    path = study(tmp_path / "s", {"huber_delta": 2.0}, base=huber)
    assert "instead of the squared error" not in made(tmp_path, *three(tmp_path), path)


def test_sweeps_are_not_required(tmp_path, capsys):
    exercise, scaled, _ = three(tmp_path)
    assert refused(capsys, exercise, scaled) == (
        "python -m examples.exercise: the following arguments are required: RECOMMENDED; --help "
        "shows "
        "examples"
    )


def test_a_figure_of_one_hyperparameter_has_room_for_its_title(tmp_path):
    many = [{"lr": 0.00101 + 0.00001 * n} for n in range(11)]
    found = influence(read_candidate(study(tmp_path / "s", *many, seeds=2)).results).hyperparameters
    short = {"lr": found["lr"][:2]}
    for name, hyperparameters in (("short", short), ("many", found)):
        draw_influence(tmp_path / f"{name}.png", hyperparameters)
        pixels = plt.imread(tmp_path / f"{name}.png")[..., :3]
        assert np.all(pixels[:30, -8:] == 1.0)  # beside the title
        assert np.any(pixels[:30] < 0.5)


def test_labels_that_would_touch_are_slanted(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("dqn.plotting.png._finish", lambda figure, _: drawn.append(figure))
    many = [{"lr": 0.00101 + 0.00001 * n} for n in range(11)]
    found = influence(read_candidate(study(tmp_path / "s", *many, seeds=2)).results).hyperparameters
    draw_influence(tmp_path, found)
    draw_influence(tmp_path, {"lr": found["lr"][:2]})
    slants = [{label.get_rotation() for label in f.axes[0].get_xticklabels()} for f in drawn]
    assert slants == [{40.0}, {0.0}]


def test_the_unit_of_the_loss_is_the_square_of_a_scaled_reward(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("examples.exercise.figures.write_png", lambda _, plot: drawn.append(plot))
    draw_losses(tmp_path, [read_candidate(run(tmp_path / "a", 50.0))])
    assert drawn[0].y.title == "TD loss, in (scaled reward)²"


NO_BASE = (
    "grid: must have a trial with its base values and others that differ from it in one key, all "
    "their seeds trained, has none; sweep=influence makes such a study, and a stopped sweep's own "
    "command resumes it"
)


def test_a_sweep_without_its_base_is_refused(tmp_path, capsys):
    path = study(tmp_path / "grid", {"lr": 0.01}, {"lr": 0.1})
    seeds = pd.read_csv(f"{path}/seeds.csv")
    seeds[seeds["trial"] > 0].to_csv(f"{path}/seeds.csv", index=False)
    assert refused(capsys, *three(tmp_path), path) == NO_BASE


def test_a_sweep_whose_base_is_half_trained_is_refused(tmp_path, capsys):
    path = study(tmp_path / "grid", {"lr": 0.01}, {"lr": 0.1}, cut={0: 7})
    assert refused(capsys, *three(tmp_path), path) == NO_BASE
