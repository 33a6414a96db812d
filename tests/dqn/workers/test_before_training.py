"""What is checked before training, whoever asks: once, and before a folder is made."""

from dataclasses import replace

import pytest

from dqn import session
from dqn.config import Config, EnvConfig
from dqn.runtime.errors import UserError
from dqn.workers.pool import before_training

TRAP = Config(epsilon_decay=0.996, seeds=1)


def test_a_trap_is_named_once_for_each_configuration(capfd):
    before_training(TRAP, [TRAP])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: epsilon_decay=0.996: ")
    before_training(TRAP, [TRAP])
    assert capfd.readouterr().err == ""
    other = replace(TRAP, epsilon_decay=0.997)
    before_training(other, [TRAP, other])
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_what_ends_a_command_names_traps_only_where_none_was_named(capfd):
    before_training(TRAP, [replace(TRAP, epsilon_decay=0.991)])
    capfd.readouterr()
    before_training(TRAP, [replace(TRAP, epsilon_decay=0.992)], unless_warned=True)
    assert capfd.readouterr().err == ""


def test_of_a_study_the_corners_count_and_its_base_does_not(capfd):
    base = replace(TRAP, epsilon_decay=0.993)
    before_training(base, [base], corners=[Config(), base])
    assert capfd.readouterr().err == ""
    before_training(base, [base], corners=[base, replace(base, lr=0.1)])
    assert "(every trial is like that)" in capfd.readouterr().err


def test_a_program_gets_the_checks_of_the_command_line(tmp_path, capfd):
    with pytest.raises(UserError, match=r"CartPol-v9"):
        session.train(Config(env=EnvConfig("CartPol-v9")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    small = Config(episodes=1, hidden=(8,), seeds=1, test_episodes=0, workers=0, steps=20)
    assert session.train(small, tmp_path / "run") == 0
    assert "warning: no update is ever due" in capfd.readouterr().err
