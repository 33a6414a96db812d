"""Passwords and tokens are on no screen and in no file, and `${oc.env:VAR}` stays as written."""

import os
from pathlib import Path

import pytest
import yaml
from command_line import exit_status
from commands import here

from dqn.config import Config, EnvConfig
from dqn.config.interpolation import looked_up, refuse_literal
from dqn.envs import gymnasium_env
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.runtime.secrets import STARS, hidden, without_passwords
from sweeps.__main__ import main

PASSWORD = "s3cr@t/p:w"
STUDY = ("-m", "hydra/sweeper=optuna", "lr=interval(1e-4,1e-2)", "name=s")


def found_in(folder: Path, *words: str) -> list[str]:
    """Files below `folder` that hold one of the words."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(word.encode() in path.read_bytes() for word in words)
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mysql+pymysql://optuna:s3cret@db/optuna", "mysql+pymysql://optuna:***@db/optuna"),
        (f"a postgresql://u:{PASSWORD}@h:5432/db b", "a postgresql://u:***@h:5432/db b"),
        ("redis://:pw@h", "redis://:***@h"),
        ("postgresql://u:p%40ss@h", "postgresql://u:***@h"),
        ("sqlite:///a.db?password=pw&x=1", "sqlite:///a.db?password=***&x=1"),
        ("mysql://u:${oc.env:PW}@h", "mysql://u:${oc.env:PW}@h"),
        ("mysql://${oc.env:U}:${oc.env:PW}@h", "mysql://${oc.env:U}:${oc.env:PW}@h"),
        ("${oc.env:DB}", "${oc.env:DB}"),
        ("postgresql://u@h:5432/db", "postgresql://u@h:5432/db"),
        ("ray://head:10001", "ray://head:10001"),
        ("name@host sqlite:////tmp/a:b.db", "name@host sqlite:////tmp/a:b.db"),
    ],
)
def test_the_password_of_a_url_is_stars(text, shown):
    assert without_passwords(text) == shown
    assert str(UserError(text)) == str(RunError(text)) == shown


@pytest.mark.parametrize(
    "url",
    [
        "mysql+nodriver://optuna:s3cret-1@db/optuna",
        "nonsense://optuna:s3cret-1@db/a?b=c&d=e",
        "oracle://u:s3cret-1@h:port/x",
    ],
)
def test_a_storage_that_cannot_be_opened_keeps_its_password(line, tmp_path, url, monkeypatch):
    for full in ("", "1"):
        monkeypatch.setenv("HYDRA_FULL_ERROR", full)
        assert line(*STUDY, f"hydra.sweeper.storage={url}") in (1, 2)
        assert "s3cret-1" not in line.out + line.err
        assert ":***@" in line.err
        assert "write ${oc.env:VAR} in its place" in line.err
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.setenv("DQN_DB", url)
    assert line(*STUDY, "hydra.sweeper.storage=${oc.env:DQN_DB}") in (1, 2)
    assert "s3cret-1" not in line.err
    assert list(tmp_path.iterdir()) == []


def test_no_file_of_hydras_has_a_password_and_the_command_to_resume_says_so(line, tmp_path):
    line.outcome = lambda config: INTERRUPTED
    address = "ray_address=ray://u:s3cret-2@head:10001"
    assert line(address) == 130
    assert exit_status(line, "-m", "lr=0.1,0.2", address) == 130
    out, err = line.read()
    for text in (line.out, out):
        command, remedy = text.splitlines()[-2:]
        assert command.startswith("to resume: ")
        assert "'ray_address=ray://u:***@head:10001'" in command
        assert remedy.startswith(f"{STARS} stands for a password")
        assert "${oc.env:VAR}" in remedy
    assert "s3cret-2" not in line.out + line.err + out + err
    kept = [*tmp_path.rglob("*.yaml")]
    assert len(kept) == 7  # three of the run, three of the grid, and the grid's multirun.yaml
    assert found_in(tmp_path, "s3cret-2") == []
    for path in kept:
        yaml.safe_load(path.read_text())
    assert "s3cret-2" not in str(Config(ray_address="ray://u:s3cret-2@h").to_mapping())


def test_hydras_own_print_of_a_configuration_has_no_password(line):
    url = "hydra.sweeper.storage=mysql://optuna:s3cret-3@db/optuna"
    assert line("--cfg", "hydra", "hydra/sweeper=optuna", url) == 0
    assert "optuna:***@db" in line.out
    assert "s3cret-3" not in line.out + line.err


ENVIRONMENT = """
import gymnasium
from gymnasium.envs.classic_control import CartPoleEnv


class Locked(CartPoleEnv):
    def __init__(self, token="", wrong=False):
        super().__init__()
        if wrong or token not in ("", "t0ken-of-mine"):
            raise RuntimeError(f"cannot log in with {token}")


gymnasium.register("Locked-v0", Locked, max_episode_steps=10)
"""
LOCKED = ("env=gymnasium", "env.id=locked_env:Locked-v0")


@pytest.fixture
def locked(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "locked_env.py").write_text(ENVIRONMENT)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setenv("DQN_TOKEN", "t0ken-of-mine")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_a_token_of_an_environment_is_looked_up_where_it_is_made(locked, capfd):
    """Trained, reported and reproduced; the value is nowhere, and the name is everywhere."""
    small = ("seeds=1", "episodes=2", "test_episodes=0", "workers=0", "hidden=[8]", "name=g")
    token = "+env.kwargs.token=${oc.env:DQN_TOKEN}"
    assert here("-m", *LOCKED, token, "lr=0.1,0.2", *small) == 0
    folder = locked / "outputs" / "sweeps" / "g"
    assert main(["report", str(folder)]) == 0
    assert main(["reproduce", str(folder), "--trial", "1", "--seed", "0"]) == 0
    out, err = capfd.readouterr()
    assert "t0ken-of-mine" not in out + err
    assert found_in(locked, "t0ken-of-mine") == []
    for name in ("config.yaml", ".hydra/config.yaml", ".hydra/overrides.yaml", "report.html"):
        assert "${oc.env:DQN_TOKEN}" in (folder / name).read_text("utf-8"), name


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["+env.kwargs.token=${oc.env:DQN_NONE}"], "${oc.env:DQN_NONE}"),
        (["+env.kwargs.token=${oc.env:DQN_TOKEN}", "+env.kwargs.wrong=true"], "cannot log in"),
        (["+env.kwargs.token=t0ken-of-mine"], "'+env.kwargs.token=${oc.env:VAR}'"),
        (["+env.kwargs.login.apiKey=t0ken-of-mine"], "'+env.kwargs.login.apiKey=${oc.env:VAR}'"),
        (["+env.kwargs.at='db://u:t0ken-of-mine@h'"], "'+env.kwargs.at=${oc.env:VAR}'"),
        (["lr=${oc.env:DQN_TOKEN}"], "got '${oc.env:DQN_TOKEN}'"),
    ],
)
def test_a_refusal_shows_no_token(line, locked, words, text):
    assert line(*LOCKED, *words) == 2
    assert text in line.err
    assert len(line.err.splitlines()) == 1
    assert "t0ken-of-mine" not in line.err
    assert found_in(locked, "t0ken-of-mine") == []


def test_a_token_may_be_part_of_a_text_and_a_number_is_none(monkeypatch):
    monkeypatch.setenv("DQN_PART", "p4rt-of-it")
    given = {"a": ["Bearer ${oc.env:DQN_PART}"], "b": {"c": "${oc.env:DQN_NONE,none}"}, "d": "${x}"}
    assert looked_up(given, "env.kwargs") == {
        "a": ["Bearer p4rt-of-it"], "b": {"c": "none"}, "d": "${x}",
    }  # fmt: skip
    assert hidden("got p4rt-of-it") == "got ${oc.env:DQN_PART}"
    assert hidden("got p4rt-of-it-all") == "got ${oc.env:DQN_PART}-all"
    monkeypatch.setenv("DQN_PART", "10")
    looked_up(given, "env.kwargs")
    assert hidden("10 of 100") == "10 of 100"
    refuse_literal(
        {"tokens": 3, "token_limit": "3", "keys": ["a"], "key": "a", "secret": None}, "k"
    )


def test_an_environment_is_the_same_by_what_was_written(monkeypatch):
    env = EnvConfig(
        "CartPole-v1", kwargs={"sutton_barto_reward": "${oc.decode:${oc.env:DQN_FLAG}}"}
    )
    monkeypatch.setenv("DQN_FLAG", "true")
    made = gymnasium_env.make(env)
    assert made.unwrapped._sutton_barto_reward is True  # pyright: ignore
    made.close()
    assert Config.from_mapping(Config(env=env).to_mapping()).env == env
    assert os.environ["DQN_FLAG"] == "true"


@pytest.mark.parametrize("study", [False, True])
def test_a_token_in_the_params_of_a_sweep_stays_as_written(locked, capfd, monkeypatch, study):
    monkeypatch.setenv("DQN_TOKEN_2", "t0ken-of-mine")
    small = ("seeds=1", "episodes=2", "test_episodes=0", "workers=0", "hidden=[8]", "name=g")
    choice = "+env.kwargs.token:['${oc.env:DQN_TOKEN}','${oc.env:DQN_TOKEN_2}']"
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2") if study else ()
    assert here("-m", *LOCKED, *words, f"+hydra.sweeper.params={{{choice}}}", *small) == 0
    out, err = capfd.readouterr()
    assert "t0ken-of-mine" not in out + err
    assert found_in(locked, "t0ken-of-mine") == []
    seeds = (locked / "outputs" / "sweeps" / "g" / "seeds.csv").read_text("utf-8")
    assert "${oc.env:DQN_TOKEN}" in seeds or "${oc.env:DQN_TOKEN_2}" in seeds


@pytest.mark.parametrize(
    "flags", [("--cfg", "job"), ("--cfg", "job", "--resolve"), ("--cfg", "all")]
)
def test_what_hydra_prints_has_no_token(line, monkeypatch, flags):
    monkeypatch.setenv("DQN_TOKEN", "t0ken-of-mine")
    monkeypatch.setenv("DQN_PIN", "4711")
    variables = [
        f"+env.kwargs.{n}=${{oc.env:DQN_{v}}}" for n, v in (("t", "TOKEN"), ("pin", "PIN"))
    ]
    address = "ray_address='ray://u:${oc.env:DQN_TOKEN}@h'"
    assert line(*flags, *variables, address) == 0, line.err
    assert "t0ken-of-mine" not in line.out + line.err
    assert "${oc.env:DQN_TOKEN}" in line.out
    assert "4711" not in line.out
    words = ["+env.kwargs.login.token=hunter2-x", "+env.kwargs.pin=4711", "+env.kwargs.pw=kept"]
    assert line(*flags, *words) == 0
    assert "hunter2-x" not in line.out
    assert "4711" not in line.out
    assert "token: '***'" in line.out or "token: ***" in line.out
    assert "pw: kept" in line.out


@pytest.mark.parametrize(
    "kwargs",
    [
        {"password": 12345}, {"token": 1.5}, {"pin": [1, 2, 3]}, {"db_pass": "x"}, {"auth": "x"},
        {"bearer": "x"}, {"passcode": "x"}, {"license_key": "x"}, {"credentials": {"pass": "x"}},
        {"headers": {"Authorization": "Bearer x"}}, {"token": "${oc.env:T,lit}"},
        {"secret": ["a"]}, {"credentials": {"value": "x"}}, {"dbPassword": "x"},
        {"token": "${oc.env:T,${oc.env:U,lit}}"}, {"at": "postgresql://u:p w@h/db"},
        {"at": "https://t0ken@host/a"}, {"at": "x://u:/p@h"},
        {"at": "postgresql://h/db?sslpassword=x"}, {"accessToken": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_password_in_plain_sight_is_refused(kwargs):
    with pytest.raises(UserError, match="must not be a password in plain text"):
        refuse_literal(kwargs, "env.kwargs")


def test_what_stands_beside_a_password_or_counts_is_none():
    refuse_literal(
        {
            "credentials": {"user": "bob", "type": "basic", "password": "${oc.env:P}"},
            "token": "${oc.env:T,${oc.env:U}}", "secret": "${oc.env:T,null}", "auth": True,
            "tokens": ["up", "down"], "low_pass": 0.5, "compass": "n", "author": "me", "spin": 3,
            "headers": {"Authorization": "Bearer ${oc.env:T}"}, "tokens_seen": 3, "passes": 3,
        },
        "k",
    )  # fmt: skip


@pytest.mark.parametrize(
    "url",
    ["ray://u:s3cret 4@h", "ray://u:/s3cret-4@h", "https://s3cret-4@h", "ray://h?sslpassword=s3cret-4",
     "ray://u:it's s3cret-4@h"],
)  # fmt: skip
def test_no_file_has_the_password_of_any_url(line, tmp_path, url):
    quoted = url.replace("'", "\\'")
    address = f"ray_address='{quoted}'"
    line(address)
    line("-m", "lr=0.1,0.2", address)
    assert len([*tmp_path.rglob("*.yaml")]) >= 3
    assert found_in(tmp_path, "s3cret") == []
