"""Completion as a shell asks for it: what is offered can be typed, and is what there is."""

import os
import shutil
import subprocess
import sys

import pytest

from dqn.config.config import KEYS
from sweeps.search.settings import Settings

STUDY = "-m hydra/sweeper=optuna"


@pytest.fixture
def offered(line, monkeypatch):
    """What is offered for a line up to the cursor."""

    def ask(text, shell="bash"):
        monkeypatch.setenv("COMP_LINE", text)
        assert line("-sc", f"query={shell}") == 0
        assert line.err == ""
        return line.out.split()

    return ask


def of_a_study():
    """Every setting that a study has, as it is typed."""
    names = {name for name in Settings.__dataclass_fields__ if name != "name"}
    ends = dict.fromkeys(("sampler", "pruner"), ".")
    return {f"hydra.sweeper.{name}{ends.get(name, '=')}" for name in names}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "-m ",
        f"{STUDY} ",
        f"{STUDY} 'lr=tag(log,interval(1e-4,1e-2))' hidden=choice([32],[64]) ",
        f"--dry-run {STUDY} seeds=3 ",
        f"{STUDY} nonsense lrr=1 lr= ",
        "-m 'lr=tag(log,",  # a quote that is open
    ],
)
def test_the_settings_of_a_study_are_known_whatever_stands_before(offered, before):
    found = offered(f"dqn-run {before} hydra.sweeper.")
    assert of_a_study() | {"hydra.sweeper.params="} == set(found)
    assert offered(f"dqn-run {before} hydra.sweeper.n_tr") == ["hydra.sweeper.n_trials="]


def test_a_sweep_of_ones_own_choice_has_its_settings_alone(offered):
    found = offered("dqn-run sweep=tune hydra.sweeper.")
    assert set(found) >= of_a_study() - {"hydra.sweeper.validate="}
    assert offered("dqn-run sweep=tune hydra.sweeper.params.g") == ["hydra.sweeper.params.gamma="]
    assert offered("dqn-run sweep=tune hydra.sweeper.validate.") == [
        "hydra.sweeper.validate.seeds=", "hydra.sweeper.validate.top="]  # fmt: skip
    assert offered("dqn-run sweep=lr hydra.sweeper.n") == []


def test_samplers_and_pruners_with_their_settings(offered):
    assert offered(f"dqn-run {STUDY} hydra/sweeper/") == [
        "hydra/sweeper/pruner=", "hydra/sweeper/sampler="]  # fmt: skip
    assert offered("dqn-run -m hydra/sweeper=") == ["hydra/sweeper=basic", "hydra/sweeper=optuna"]
    assert offered("dqn-run -m hydra/sweep") == ["hydra/sweeper/", "hydra/sweeper="]
    names = offered(f"dqn-run {STUDY} hydra/sweeper/pruner=")
    assert names == [
        f"hydra/sweeper/pruner={n}" for n in ("hyperband", "median", "none", "wilcoxon")
    ]
    chosen = f"{STUDY} hydra/sweeper/sampler=qmc hydra/sweeper/pruner=median"
    assert offered(f"dqn-run {chosen} hydra.sweeper.sampler.") == [
        "hydra.sweeper.sampler.qmc_type=", "hydra.sweeper.sampler.scramble="]  # fmt: skip
    assert "hydra.sweeper.pruner.n_startup_trials=" in offered(
        f"dqn-run {chosen} hydra.sweeper.pruner."
    )


def test_values_of_which_there_are_few(offered):
    metrics = ("auc", "best_return", "final_return", "mean_return", "solved_at", "test_return")
    key = "hydra.sweeper.objective"
    assert offered(f"dqn-run {STUDY} {key}=") == [f"{key}={metric}" for metric in metrics]
    assert offered(f"dqn-run {STUDY} {key}=so") == [f"{key}=solved_at"]
    qmc = f"dqn-run {STUDY} hydra/sweeper/sampler=qmc hydra.sweeper.sampler.qmc_type="
    assert {word.rpartition("=")[2] for word in offered(qmc)} == {"halton", "sobol"}
    assert offered("dqn-run double=") == ["double=false", "double=true"]
    assert offered("dqn-run optimizer=") == ["optimizer=adam", "optimizer=rmsprop"]
    assert offered("dqn-run preset=sc") == ["preset=scaled"]
    assert offered("dqn-run preset=scaled reward_scale=") == ["reward_scale=0.01"]  # what it is


def test_keys_and_flags(offered):
    found = offered("dqn-run ")
    plain = {name for name in KEYS if "." not in name}
    assert {f"{name}=" for name in plain} <= set(found)
    assert {"env.", "env=", "preset=", "sweep="} <= set(found)
    assert [word for word in found if word.startswith("hydra")] == ["hydra.", "hydra/"]
    assert offered("dqn-run lr=1 --d") == ["--dry-run"]
    assert {"--dry-run", "--help", "--cfg", "-m"} <= set(offered("dqn-run -"))
    assert offered("dqn-run nothing_like_it") == []


def test_other_shells_are_answered_as_they_read(offered, line):
    bash = offered(f"dqn-run {STUDY} hydra.sweeper.r")
    assert line.out.count("\n") == 1
    assert offered(f"dqn-run {STUDY} hydra.sweeper.r", "zsh") == bash
    assert offered(f"dqn-run {STUDY} hydra.sweeper.r", "fish") == bash
    assert line.out.splitlines() == bash
    assert bash == [f"hydra.sweeper.{name}=" for name in ("racing", "racing_keep", "rungs")]


def test_a_secret_is_not_offered(offered, monkeypatch, tmp_path):
    conf = tmp_path / "conf" / "preset"
    conf.mkdir(parents=True)
    monkeypatch.setenv("TOKEN", "hunter2")
    (conf / "mine.yaml").write_text("# @package _global_\nray_address: ${oc.env:TOKEN}\n")
    words = offered(f"dqn-run preset=exercise --config-dir={conf.parent} ray_address=")
    assert "hunter2" not in " ".join(words)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_offers_it_where_it_was_installed(tmp_path):
    program = tmp_path / "dqn-run"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom dqn.run import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    script = """
eval "$(dqn-run -sc install=bash)"
COMP_LINE="dqn-run -m hydra/sweeper=optuna hydra.sweeper.t"
COMP_WORDS=($COMP_LINE)
COMP_CWORD=3
COMP_POINT=${#COMP_LINE}
hydra_bash_completion
echo "${COMPREPLY[@]}"
"""
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("hydra.sweeper.timeout=\n", 0), done.stderr
