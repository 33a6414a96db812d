"""`python -m sweeps course`: numbers by hand, and a page that says what the folders say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from trainings import filled, result

from dqn.config import Config
from dqn.results.folder import Folder
from sweeps.__main__ import main
from sweeps.contenders import contender
from sweeps.lessons import growth, knobs, ranked, realised

BASE = Config(seeds=8, episodes=30)
SWEPT = ("lr", "hidden", "huber_delta")
STUDY = {"kind": "study", "seeds": 8}


def rising(seed, level, config=BASE, trial=0, growing=1.0):
    """30 episodes whose return and Q rise, and whose loss is 1 at first and `growing` at last."""
    returns = np.linspace(10.0, level + seed, 30).round()
    loss = np.linspace(1.0, growing, 30)
    return result(trial, seed, returns=returns, config=config, loss=loss, q=returns / 10.0)


def run(path, level, **changes):
    config = dataclasses.replace(BASE, **changes)
    filled(path, *(rising(seed, level, config, growing=3.0) for seed in range(8)), config=config)
    return str(path)


def study(path, *changes, level=50.0):
    with Folder(path, BASE, STUDY, swept=SWEPT) as folder:
        for trial, change in enumerate(({}, *changes)):
            config = dataclasses.replace(BASE, **change)
            for seed in range(8):
                folder.add(rising(seed, level + 20.0 * trial, config, trial))
    return str(path)


def three(tmp_path):
    return [run(tmp_path / "exercise", 50.0), run(tmp_path / "scaled", 90.0, reward_scale=0.01),
            run(tmp_path / "recommended", 150.0, lr=0.002)]  # fmt: skip


def test_growth_by_hand():
    loss = [np.nan, *[2.0] * 10, 9.0, *[6.0] * 10]
    frame = pd.DataFrame({"seed": [0] * 22 + [1] * 22, "loss": [*loss, *loss[:12], *([1.0] * 10)]})
    grown = growth(frame, "loss")
    assert grown is not None
    assert (grown.ratio, grown.ends) == (1.75, (0.5, 3.0))  # of 6 / 2 and 1 / 2
    assert (grown.higher, grown.seeds) == (1, 2)
    assert growth(frame.head(15), "loss") is None  # no two windows apart


def test_what_followed_is_the_sum_that_a_loop_adds_up(tmp_path):
    one = contender(run(tmp_path / "a", 200.0, gamma=0.9, reward_scale=0.5))
    frame = pd.DataFrame({"length": [1, 3, 200]})
    sums = [np.mean([sum(0.5 * 0.9**k for k in range(n)) for n in range(1, T + 1)]) for T in (1, 3)]
    assert realised(one, frame) == pytest.approx([*sums, 0.5 / 0.1])  # at 200 it goes on for ever
    ends = contender(run(tmp_path / "b", 200.0, gamma=0.9, timeout_terminal=True))
    over = np.mean([(1 - 0.9**n) / 0.1 for n in range(1, 201)])
    assert realised(ends, frame)[2] == pytest.approx(over)


def test_knobs_are_trials_that_differ_from_the_base_in_one_key(tmp_path):
    both = {"lr": 0.01, "hidden": (128, 128)}
    path = study(tmp_path / "s", {"lr": 0.01}, {"hidden": (32, 32)}, both, {"hidden": (16,)})
    found = knobs(contender(path).results)
    assert list(found) == ["lr", "hidden"]
    assert [(level.value, level.is_base) for level in found["lr"]] == [(0.001, True), (0.01, False)]
    assert [level.value for level in found["hidden"]] == ["16", "32x32", "64x64"]
    assert [(name, best.value) for name, best, _ in ranked(found, "mean_return")] == [
        ("hidden", "16"),
        ("lr", 0.01),
    ]
    assert found["lr"][1].against_base.improvement > 0.9


def test_the_page_says_what_the_folders_say(tmp_path, capsys):
    path = study(tmp_path / "knobs", {"huber_delta": 1.0}, {"lr": 0.01})
    out = tmp_path / "page"
    assert main(["course", *three(tmp_path), path, "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"written: {out / name}" for name in ("course.md", "losses.png", "values.png", "knobs.png")
    ]
    page = (out / "course.md").read_text()
    assert "of 8 seeds a setting" in page
    assert "higher in 8 of 8 seeds" in page
    assert "In `exercise` and `scaled` and `recommended` both grew." in page
    assert "| `lr` | 20.0 | 0.01: 5" in page
    assert "a seed with scaled rewards beats one without with P = 1.00" in page
    assert "`recommended` differs from `exercise` in `lr=0.002`" in page
    assert "Huber’s loss beats the squared error with P = " in page
    for name in ("losses.png", "values.png", "knobs.png"):
        assert f"({name})" in page
        assert (out / name).stat().st_size > 5_000


def test_a_sweep_without_its_base_is_refused(tmp_path, capsys):
    path = study(tmp_path / "grid", {"lr": 0.01}, {"lr": 0.1})
    seeds = pd.read_csv(f"{path}/seeds.csv")
    seeds[seeds["trial"] > 0].to_csv(f"{path}/seeds.csv", index=False)
    assert main(["course", *three(tmp_path), path]) == 2
    assert capsys.readouterr().err == (
        "grid: must have a trial with its base values and others that differ from it in one key, "
        "has none; sweep=influence makes such a study\n"
    )
