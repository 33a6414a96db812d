"""What a message advises works when it is typed, whichever program a user comes from."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import assert_refused

from dqn.compose import resume_command
from dqn.config import Config
from dqn.config.config import KEYS
from dqn.config.familiar import ADVICE, SYNONYMS
from dqn.envs.registry_errors import INSTALL
from dqn.runtime.errors import UserError
from dqn.runtime.exit_codes import INTERRUPTED
from sweeps.search.options import parts_of
from sweeps.search.settings import Settings

STUDY = "-m hydra/sweeper=optuna lr=interval(1e-4,1e-2) "
OF_A_STUDY = [  # as hydra-optuna-sweeper and Optuna have it
    ("hydra.sweeper.direction=maximize", "hydra.sweeper.direction ; hydra.sweeper.objective"),
    ("+hydra.sweeper.direction=maximize", "hydra.sweeper.direction ; it follows from"),
    ("hydra.sweeper.n_jobs=2", "hydra.sweeper.n_jobs ; workers="),
    ("hydra.sweeper.study_name=a", "hydra.sweeper.study_name ; name="),
    ("hydra.sweeper.load_if_exists=true", "load_if_exists ; leave it out"),
    ("hydra.sweeper.max_failure_rate=0.1", "max_failure_rate ; leave it out"),
    ("hydra.sweeper.search_space={}", "search_space ; hydra.sweeper.params"),
    ("hydra.sweeper.sampler.seed=3", "hydra.sweeper.sampler.seed ; hydra.sweeper.seed"),
    ("hydra.sweeper.n_startup_trials=3", "n_startup ; hydra.sweeper.sampler.n_startup_trials"),
    ("hydra/sweeper/sampler=nsgaii", "nsgaii ; one objective; tpe"),
    ("hydra.sweeper.sampler._target_=RandomSampler", "Random ; hydra/sweeper/sampler=random"),
    ("hydra/launcher=basic", "hydra/launcher=basic ; lanes; workers=N; fleet=ray"),
    ("hydra.sweeper.optuna_config.n_trials=3", "optuna_config.n_trials ; below hydra.sweeper"),
    ("hydra.sweeper.search_space.lr.type=float", "search_space.lr ; hydra.sweeper.params"),
    (
        "hydra.sweeper.pruner.n_warmup_steps=3",
        "hydra.sweeper.pruner.n_warmup_steps ; it belongs to hydra/sweeper/pruner=median",
    ),
    ("hydra.sweeper.sampler.popsize=3", "popsize ; it belongs to hydra/sweeper/sampler=cmaes"),
]
ADVISED = [
    *((STUDY + typed, parts) for typed, parts in OF_A_STUDY),
    ("hydra/launcher=joblib", "hydra/launcher=joblib ; lanes; workers=N; fleet=ray"),
    ("-m lr=1,2 hydra.sweeper.direction=maximize", "direction ; -m hydra/sweeper=optuna"),
    ("-m lr=1,2 +hydra.sweeper.n_trials=5", "hydra.sweeper.n_trials ; add hydra/sweeper=optuna"),
    ("-m lr=1,2 hydra.sweeper.study_name=a", "hydra.sweeper.study_name ; write name="),
    ("hydra.sweper.n_trials=5", "hydra.sweper.n_trials ; did you mean hydra.sweeper.n_trials?"),
    ("hydra/launchr=lanes", "hydra/launchr ; did you mean hydra/launcher?"),
    ("pruner.n_startup_trials=5", "pruner ; hydra.sweeper.pruner.n_startup_trials"),
    ("-m lr=1,2 hydra.sweeper.timeout=60", "hydra.sweeper.timeout ; -m hydra/sweeper=optuna"),
    ("hydra.sweeper.timeout=60", "hydra.sweeper.timeout ; add -m hydra/sweeper=optuna"),
    ("timeout=60", "timeout ; did you mean hydra.sweeper.timeout, in seconds?"),
    ("sampler.seed=3", "sampler.seed ; write hydra.sweeper.seed (it belongs to a study"),
    ("sweeper.direction=maximize", "sweeper.direction ; hydra.sweeper.objective"),
    # other programs for reinforcement learning
    ("max_trials=5", "max_trials ; hydra.sweeper.n_trials"),
    ("time_limit=5", "time_limit ; did you mean env.max_episode_steps?"),
    ("max_steps_per_episode=5", "max_steps_per_episode ; did you mean env.max_episode_steps?"),
    ("soft_update=0.01", "soft_update ; did you mean tau?"),
    ("target_tau=0.01", "target_tau ; did you mean tau?"),
    ("max_epsilon=1", "max_epsilon ; did you mean epsilon_start?"),
    ("initial_epsilon=1", "initial_epsilon ; did you mean epsilon_start?"),
    ("replay_capacity=9", "replay_capacity ; did you mean buffer_size?"),
    ("replay_memory_size=9", "replay_memory_size ; did you mean buffer_size?"),
    ("replay_start_size=9", "replay_start_size ; did you mean learning_starts?"),
    ("network=[8]", "network ; mlp; network=mlp"),
    ("n_evaluations=9", "n_evaluations ; did you mean test_episodes?"),
    ("env_wrapper=x", "env_wrapper ; there is none; env=gymnasium"),
    ("gym_packages=x", "gym_packages ; env.id=MODULE:ID"),
    ("discount_rate=0.9", "discount_rate ; did you mean gamma?"),
    ("loss_function=mse", "loss_function ; huber_delta"),
    ("clip_gradients=1", "clip_gradients ; did you mean grad_clip?"),
    ("epsilon_decay_steps=9", "epsilon_decay_steps ; did you mean exploration_steps?"),
    ("optimize_hyperparameters=true", "optimize_hyperparameters ; sweep=tune"),
    ("num_threads=2", "num_threads ; did you mean workers?"),
    ("learning-rate=1e-3", "learning-rate ; did you mean lr?"),
    ("--learning-rate 1e-3", "--learning-rate ; did you mean lr?"),
    ("--lr 1e-3", "--lr ; lr=VALUE"),
    ("--env CartPole-v1", "--env ; env=gymnasium env.id=ID"),
    ("n_timesteps=5e4", "n_timesteps ; did you mean steps; episodes=0"),
    ("exploration_fraction=0.1", "exploration_fraction ; exploration_steps; linear; share"),
    ("gradient_steps=2", "gradient_steps ; there is none; train_freq"),
    ("polyak=0.995", "polyak ; tau; 1 - polyak"),
    ("env.gravity=3", "env.gravity ; +env.kwargs.gravity="),
    ("targetupdate_interval=3", "targetupdate_interval ; did you mean target_update?"),
]


@pytest.mark.parametrize(("typed", "parts"), ADVISED, ids=[typed for typed, _ in ADVISED])
def test_a_habit_leads_to_what_there_is_here(line, tmp_path, typed, parts):
    assert_refused(line, tmp_path, typed, parts)


def test_every_key_that_advice_names_is_one():
    assert {key for key in SYNONYMS.values() if key not in KEYS} == {"env"}
    assert set(SYNONYMS).isdisjoint({*KEYS, *ADVICE})
    for text in ADVICE.values():
        for name in re.findall(r"(?<![./\w])([a-z]\w+)=(?=[\w\[,; ]|$)", text):
            assert name in KEYS or name in ("dir", "n_trials", "sweep", "env"), text
    for name in (*SYNONYMS, *ADVICE):
        with pytest.raises(UserError) as caught:
            Config.from_mapping({name: 1})
        assert str(caught.value).isprintable()


def test_a_target_alone_chooses_a_sampler():
    """The settings of the file that was chosen before are no wish of the user's."""
    tpe = {"_target_": "optuna.samplers.TPESampler", "n_startup_trials": 10, "multivariate": True}
    node = {"sampler": {**tpe, "_target_": "optuna.samplers.RandomSampler"}}
    assert Settings.from_mapping(node, "s").sampler == {"_target_": "optuna.samplers.RandomSampler"}
    assert parts_of({"sampler": tpe}, ()) == {"sampler": tpe}
    typed = parts_of(node, {"hydra.sweeper.sampler.n_startup_trials"})["sampler"]
    assert typed["n_startup_trials"] == 10  # which is then refused by name
    median = {"_target_": "optuna.pruners.NopPruner", "n_startup_trials": 5, "n_warmup_steps": 2}
    assert parts_of({"pruner": median}, ())["pruner"] == {
        "_target_": "optuna.pruners.NopPruner", "n_warmup_steps": 2,
    }  # fmt: skip


def test_what_is_to_be_installed_can_be():
    texts = [
        path.read_text("utf-8")
        for folder in ("dqn", "sweeps", "conf")
        for path in (Path(__file__).parents[3] / folder).rglob("*.*")
        if path.suffix in (".py", ".yaml")
    ]
    assert [text for text in texts if "pip install 'dqn-study" in text] == []
    assert INSTALL["Box2D"] == "pip install 'gymnasium[box2d]'"


def started(monkeypatch, *words, path=""):
    """As if the program had been started so."""
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *words])
    monkeypatch.setattr(sys, "argv", list(words))
    monkeypatch.setenv("PATH", path)
    return resume_command.program()


def test_the_program_of_the_command_to_resume_is_the_one_that_runs(tmp_path, monkeypatch):
    here = os.path.dirname(sys.executable)
    module = [sys.executable, "-m", "dqn.run"]
    assert started(monkeypatch, "/x/dqn/run.py", path=f"{tmp_path}") == module
    assert started(monkeypatch, "dqn-run", path=f"{tmp_path}") == module
    other = tmp_path / "python"
    other.symlink_to(sys.executable)  # another environment's
    assert started(monkeypatch, "/x/dqn/run.py", path=f"{tmp_path}:{here}") == module
    script = tmp_path / "dqn-run"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert started(monkeypatch, str(script), path=f"{tmp_path}:{here}") == ["dqn-run"]
    assert started(monkeypatch, str(script), path=here) == [str(script)]
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "dqn.run"])
    monkeypatch.setattr(sys, "argv", ["/x/dqn/run.py"])
    monkeypatch.setenv("PATH", here)
    assert resume_command.program()[0] == "python"


def test_the_command_to_resume_works_in_the_same_shell(line, tmp_path):
    """With flags at the end, and a folder whose name is not plain."""
    (tmp_path / "mine").mkdir()
    line.outcome = lambda config: INTERRUPTED
    folder = "hydra.run.dir=out/a b=${lr}"
    assert line("lr=0.1", "--config-dir", "mine") == 130
    command = line.out.splitlines()[-1].removeprefix("to resume: ")
    line.outcome = lambda config: 0
    words = shlex.split(command)
    assert line(*words[words.index("dqn.run") + 1 :]) == 0, line.err
    assert line.folders[0] == line.folders[1]
    assert line(folder) == 0, line.err
    assert line.folders[2] == tmp_path / "out" / "a b=0.1".replace("0.1", "0.001")
    shown = subprocess.run(
        f"{shlex.join(resume_command.program())} --version",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.startswith("dqn-study "), shown.stderr
