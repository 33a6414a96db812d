"""Results and configurations of a stranger: nothing in them runs, leads elsewhere or never ends."""

import json
import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import here
from reports import VALIDATION, Reader, _blank_figures  # noqa: F401
from studies import record, sampled, write
from trainings import CONFIG, filled, result

from dqn.config import Config
from dqn.runtime.errors import UserError
from dqn.storage import safe_yaml
from dqn.storage.columns import config_of
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main
from sweeps.report.headline import Summary
from sweeps.report.page import Section, Table, Task, page

MARKUP = "</script></title><x-evil onload=alert(1)>"


class Touch:
    """A pickle of it makes the file `path` wherever it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def canary(tmp_path):
    """A path that no test may find a file at, in a folder of its own."""
    path = tmp_path / "canary"
    yield path
    assert not path.exists()


@pytest.fixture
def folder(tmp_path):
    base = Config(seeds=2, episodes=12)
    path = write(tmp_path / "theirs", sampled(3, base), record(), base=base, seeds=2, episodes=12)
    (path / ".hydra").mkdir()
    (path / "validation.csv").write_text(VALIDATION.format(best=0, second=1))
    return path


def refused(capsys, command, *arguments) -> str:
    """The one line of a command of `python -m sweeps` that ends with a status of its own."""
    assert main([command, *map(str, arguments)]) in (1, 2)
    text = capsys.readouterr().err
    assert text.endswith("\n")
    *steps, text = text[:-1].split("\n")
    assert all(step.startswith("figure ") for step in steps)  # on a slow machine
    assert text.isprintable()
    assert "HYDRA_FULL_ERROR" not in text
    return text


def calling(path: Path) -> str:
    """A node that Hydra would make a file at `path` of."""
    return f"{{_target_: pathlib.Path.touch, self: {{_target_: pathlib.Path, _args_: ['{path}']}}}}"


PRESETS = {
    "callbacks": "callbacks: {{x: {call}}}",
    "env_set": "job: {{env_set: {{PYTHONPATH: '{path}'}}}}",
    "launcher": "launcher: {{x: {call}}}",
    "sweeper": "sweeper: {{params: {{x: {call}}}}}",
    "sampler": "sweeper: {{_recursive_: true, sampler: {call}}}",
    "plug-in": "sweeper: {{_target_: subprocess.Popen, args: [touch, '{path}']}}",
    "formatter": "job_logging: {{formatters: {{x: {{(): subprocess.Popen, args: [touch]}}}}}}",
    "handler": "job_logging: {{handlers: {{x: {{class: logging.os.system}}}}}}",
    "stream": "hydra_logging: {{handlers: {{console: {{stream: 'ext://antigravity.x'}}}}}}",
    "borrowed": "job_logging: {{handlers: {{x: '${{env.kwargs}}'}}}}",
}


@pytest.mark.parametrize("kind", PRESETS)
def test_a_preset_has_nothing_called(kind, tmp_path, canary, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf" / "preset").mkdir(parents=True)
    node = PRESETS[kind].format(call=calling(canary), path=canary)
    text = f"# @package _global_\nhydra:\n  {node}\n"
    (tmp_path / "conf" / "preset" / "theirs.yaml").write_text(text)
    optuna = ["hydra/sweeper=optuna", "lr=interval(0.1,0.2)"] if kind == "sampler" else ["lr=1,2"]
    sweep = ["-m", *optuna] if kind in ("launcher", "sweeper", "sampler", "plug-in") else []
    assert here("-cd", tmp_path / "conf", *sweep, "preset=theirs", "seeds=1", "episodes=1") == 2
    message = capfd.readouterr().err
    assert message.startswith("hydra.")
    assert len(message.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["conf"]


def test_hydras_pickle_of_a_job_is_not_loaded(tmp_path, canary, capfd):
    for name in ("config", "hydra"):
        (tmp_path / f"{name}.pickle").write_bytes(pickle.dumps(Touch(canary)))
    assert here("--experimental-rerun", tmp_path / "config.pickle") == 2
    assert capfd.readouterr().err.startswith("--experimental-rerun must be left out")


def test_weights_that_hold_a_pickle_are_not_loaded(tmp_path, canary):
    filled(tmp_path / "run", result())
    (weights,) = (tmp_path / "run").glob(".weights-*")
    np.savez(weights, np.array([Touch(canary)], dtype=object))
    with ResultsDir(tmp_path / "run", CONFIG) as folder:
        assert folder.best() is None
    assert not weights.exists()


@pytest.mark.parametrize("name", ["config.yaml", "sweep.yaml"])
def test_yaml_makes_no_object(name, folder, canary, capsys):
    (folder / name).write_text(f"!!python/object/apply:pathlib.Path.touch ['{canary}']")
    assert f"{name}: must be" in refused(capsys, "compare", folder)


def test_yaml_that_can_be_missed_makes_no_object_either(folder, canary):
    for name in ("machine.yaml", ".hydra/overrides.yaml", ".hydra/hydra.yaml"):
        (folder / name).write_text(f"!!python/object/apply:pathlib.Path.touch ['{canary}']")
    assert main(["report", str(folder)]) == 0


def test_a_cell_of_yaml_makes_no_object(canary):
    row = filled_row() | {"env.kwargs.x": f"!!python/object/apply:os.mkdir ['{canary}']"}
    with pytest.raises(UserError, match=r"env.kwargs.x must be YAML"):
        config_of(row, CONFIG)


def filled_row():
    return result().row(195.0, ())


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
ENDLESS = {
    "aliases": BOMB,
    "one alias": "[&a 1, *a]",
    "deep lists": "[" * 300_000,  # libyaml's loader ends the interpreter
    "deep mappings": "{a: " * 300_000,
    "digits": "9" * 10_000,
    "no date": "2001-99-99",
    "no flag": "!!bool x",
    "no time": "!!timestamp x",
    "no number": "!!int ''",
    "bytes": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_yaml_without_an_end_or_a_value_is_refused_at_once(kind):
    with pytest.raises(ValueError, match=r"\w") as caught:
        safe_yaml.plain(ENDLESS[kind])
    assert "\n" not in str(caught.value)


def test_what_is_written_is_read_also_where_a_value_is_there_twice():
    shared = [1, {"a": [2.5, None, "x"]}]
    assert safe_yaml.plain(safe_yaml.written({"b": shared, "c": shared})) == {
        "b": shared,
        "c": shared,
    }


def pipe_or_folder(make, *paths):
    for path in paths:
        path.unlink(missing_ok=True)
        make(path)


MAKE = pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])


@MAKE
@pytest.mark.parametrize("name", ["config.yaml", "sweep.yaml", "seeds.csv", "validation.csv"])
@pytest.mark.timeout(60)
def test_no_pipe_is_waited_for(make, name, folder, capsys):
    pipe_or_folder(make, folder / name)
    assert f"{name}: must be" in refused(capsys, "report", folder)


@MAKE
@pytest.mark.timeout(60)
def test_no_pipe_that_can_be_missed_is_waited_for_either(make, folder):
    names = ("machine.yaml", ".hydra/overrides.yaml", "episodes.parquet/part-00000.parquet")
    pipe_or_folder(make, *(folder / name for name in names))
    assert main(["report", str(folder)]) == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", "[mean_return]"), ("objective", "lr"), ("aggregate", "max"),
        ("n_trials", "many"), ("n_trials", "true"), ("racing", "3"), ("racing", "[{}]"),
        ("sampler", "x"), ("params", "[lr]"), ("params", "{lr: 3}"), ("seed", "null"),
        ("trials", "3"), ("kind", "[]"), ("identity", "3"),
    ],
)  # fmt: skip
def test_a_sweeps_record_is_checked_as_it_is_read(name, value, folder, capsys):
    sweep = safe_yaml.plain_of(folder / "sweep.yaml") | {name: safe_yaml.plain(value)}
    (folder / "sweep.yaml").write_text(safe_yaml.written(sweep))
    text = refused(capsys, "compare", folder)
    assert f"sweep.yaml: {name} must be" in text or f"must have the {name}" in text


@pytest.mark.parametrize("value", ["1e308", "-1e39"])
def test_a_metric_that_no_lane_can_earn_is_damage(value, folder, capsys):
    lines = (folder / "seeds.csv").read_text().splitlines()
    cells, place = lines[1].split(","), lines[0].split(",").index("mean_return")
    cells[place] = value
    (folder / "seeds.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:], ""]))
    assert "column mean_return must be a number of at most 3.4e+38" in refused(
        capsys, "compare", folder
    )


def test_a_terminal_is_told_and_not_commanded(folder, capsys):
    header = (folder / "seeds.csv").read_bytes().replace(b"gamma", b"\x1b]0;x\x07gamma")
    (folder / "seeds.csv").write_bytes(header)
    assert r"\x1b]0;x\x07" in refused(capsys, "compare", folder)


def test_results_import_no_module(folder, tmp_path, canary, monkeypatch, capsys):
    (tmp_path / "theirs_module.py").write_text(f"open({str(canary)!r}, 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    for file in (folder / name for name in ("config.yaml", "seeds.csv")):
        text = file.read_text().replace("CartPole-v0", "theirs_module:CartPole-v0")
        text = text.replace("max_episode_steps: 200", "max_episode_steps: null")
        file.write_text(text.replace("solved_return: 195.0", "solved_return: null"))
    assert read(folder).base.env.id == "theirs_module:CartPole-v0"
    out = tmp_path / "out"
    assert main(["compare", str(folder), str(folder), "--out", str(out)]) == 0
    assert main(["report", str(folder)]) == 0
    assert main(["export", str(folder), "--to", "tensorboard", "--out", str(out / "t")]) == 0
    assert "theirs_module" not in sys.modules


def test_what_is_written_stays_in_the_folder(folder, tmp_path, capsys):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "figures").symlink_to(elsewhere)
    assert "figures is a link to another place" in refused(capsys, "report", folder)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["seeds.csv", "episodes.parquet", "figures", "best", ".lock"])
def test_no_training_is_written_through_a_link(name, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(UserError, match=f"{name} in it is a link to another place"):
        ResultsDir(tmp_path / "run", CONFIG)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_no_text_of_a_folder_is_markup(folder, tmp_path):
    path = folder.rename(tmp_path / MARKUP.replace("/", "∕"))
    env = {"id": f"CartPole-v0{MARKUP}", "max_episode_steps": 200, "solved_return": 195.0,
           "kwargs": {MARKUP: [MARKUP]}}  # fmt: skip
    config = safe_yaml.plain_of(path / "config.yaml") | {"env": env}
    (path / "config.yaml").write_text(safe_yaml.written(config))
    sweep = safe_yaml.plain_of(path / "sweep.yaml") | {"kind": f"study{MARKUP}", MARKUP: MARKUP}
    sweep["params"] = {**sweep["params"], MARKUP: MARKUP}
    (path / "sweep.yaml").write_text(safe_yaml.written(sweep))
    (path / "machine.yaml").write_text(safe_yaml.written([{MARKUP: MARKUP}]))
    (path / ".hydra" / "overrides.yaml").write_text(safe_yaml.written([MARKUP, "lr=`x`"]))
    lines = (path / "seeds.csv").read_text().splitlines()
    head = lines[0].split(",")
    head.insert(head.index("env") + 1, "env.kwargs.x")
    rows = [line.split(",") for line in lines[1:]]
    for n, row in enumerate(rows):
        row.insert(head.index("env") + 1, f"{MARKUP}{n // 2}")
        row[head.index("env")] = env["id"]
    (path / "seeds.csv").write_text("\n".join(map(",".join, [head, *rows])) + "\n")
    assert main(["report", str(path)]) == 0
    text = (path / "report.html").read_text(encoding="utf-8")
    page = Reader(text)
    assert "x-evil" in page.text
    assert "x-evil" not in page.tags
    charts = [json.loads(script) for script in page.scripts if script.startswith("{")]
    assert charts
    shown = json.dumps(charts)
    assert "x-evil" in shown
    assert "<x-evil" not in shown  # plotly reads some of HTML in its texts


def test_rows_kept_for_later_end_no_script():
    table = Table("trials", "all", ["value"], [[MARKUP]] * 101)  # from 101 on as JSON
    summary = Summary("a", "b", "c", "d", "", False)
    made = Reader(page("all", [Task("", summary, [Section("trials", "All", [table], "", True)])]))
    assert "x-evil" not in made.tags
    (kept,) = (script for script in made.scripts if script.startswith("[["))
    assert json.loads(kept) == table.rows


def test_no_file_of_results_is_unpickled_or_run():
    """Of all that Python would run: only what a worker of our own sends, and our own modules."""
    calls = re.compile(
        r"pickle\.load|\b(eval|exec)\(|yaml\.((unsafe|full)_)?load\(|load_model\(|allow_pickle|"
        r"instantiate\(|import_module\("
    )
    root = Path(__file__).parents[3]
    files = [
        path
        for room in ("dqn", "sweeps", "hydra_plugins", "benchmarks", "examples")
        for path in (root / room).rglob("*.py")
    ]
    where = {str(path.relative_to(root)) for path in files if calls.search(path.read_text("utf-8"))}
    assert where == {
        "dqn/__init__.py",  # its own names
        "sweeps/__init__.py",  # its own names
        "dqn/runtime/sweeps_package.py",  # `sweeps`, which stands above
        "dqn/terminal/notebook.py",  # IPython
        "dqn/config/components.py",  # network=module:Name, where it is trained
        "dqn/training/own_components.py",  # our own agents
        "dqn/agents/networks/__init__.py",  # its own table
        "dqn/agents/optimizers/__init__.py",  # its own table
        "dqn/envs/__init__.py",  # its own table
        "dqn/envs/registry_errors.py",  # env.id=module:ID, where it is trained
        "dqn/tracking/__init__.py",  # its own table
        "benchmarks/capacity.py",  # its own pickles
        "dqn/workers/ray.py",  # pickles of our workers
        "dqn/runtime/tensorflow.py",  # TensorFlow
        "dqn/storage/safe_yaml.py",
        "dqn/plotting/result_pictures.py",  # Keras, pygame
        "sweeps/__main__.py",  # its own commands
    }
