"""Terminals that show little or are not there, and systems that this program is not for."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest
from studies import record, sampled, write

from dqn import run
from dqn.config import Config
from dqn.runtime import standard_streams
from sweeps import __main__

UNUSUAL = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1:strict"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "dumb": {"TERM": "dumb", "COLUMNS": "3", "NO_COLOR": "1"},
}
PATH = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("terminal") / "müde"
    base = Config(seeds=3, episodes=30)
    write(path, sampled(4, base, ["lr"]), record(n_trials=4), base=base)
    return path


def typed(module, *arguments, shell="", **environment):
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if shell:
        command = ["bash", "-c", f'"$0" "$@" {shell}', *command]
    return subprocess.run(command, capture_output=True, env=os.environ | PATH | environment)


@pytest.mark.parametrize(
    "name", ["ascii", *(pytest.param(name, marks=pytest.mark.slow) for name in list(UNUSUAL)[1:])]
)
def test_a_table_is_shown_on_any_terminal(folder, name):
    done = typed("sweeps", "compare", folder, folder, **UNUSUAL[name])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"mean return" in done.stdout
    if name in ("ascii", "C"):
        assert done.stdout.isascii()
        assert b"----------" in done.stdout
        assert name == "C" or b"?" not in done.stdout


def test_json_stays_as_it_is_on_any_terminal(folder, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    assert __main__.main(["compare", str(folder), str(folder), "--json"]) == 0
    out.flush()
    text = json.loads(out.buffer.getvalue())
    assert "müde" in json.dumps(text, ensure_ascii=False)


@pytest.mark.slow
@pytest.mark.parametrize("shell", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_table_for_streams_that_are_closed_is_no_error(folder, shell):
    done = typed("sweeps", "compare", folder, folder, shell=shell)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("shell", [">&-", "<&- >&- 2>&-"])
def test_streams_that_are_closed_are_done_without(shell):
    refused = typed("dqn.run", "lr=-1", shell=shell)
    assert refused.returncode == 2
    assert b"Traceback" not in refused.stderr


def test_an_error_line_is_shown_on_any_terminal(monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(sys, "argv", ["dqn-run", "hidden=ε≥→"])
    assert run.main() == 2
    out.flush()
    line = out.buffer.getvalue().decode()
    assert line.count("\n") == 1
    assert line.startswith("hidden=e>> cannot be read")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("─│┼╭ –·", "-|++ -."),
        ("γ=0.99 ε ≥ é × ² ₁", "g=0.99 e > e x 2 1"),
        ("⠋ █", "* *"),
        ("日本\udcff", "???"),
    ],
)
def test_what_cannot_be_shown_is_shown_as_its_nearest(monkeypatch, text, shown):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    standard_streams.prepare_streams()
    print(text, end="")
    out.flush()
    assert out.buffer.getvalue().decode() == shown
    assert not standard_streams.shows(text)


@pytest.mark.slow
def test_bars_are_drawn_on_a_terminal_of_any_kind():
    code = (
        "from dqn.runtime.standard_streams import prepare_streams; prepare_streams(); "
        "from dqn.config import Config; from dqn.terminal.progress import RunProgress\n"
        "with RunProgress([0], Config()) as view: view.notice('\\u03b5 \\xb7 done')"
    )
    ours, theirs = pty.openpty()
    try:
        for environment in UNUSUAL.values():
            subprocess.run(
                [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs,
                env=os.environ | PATH | {"TERM": "xterm"} | environment, check=True,
            )  # fmt: skip
            assert b"done" in os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    "command",
    [
        lambda: run.main(),
        lambda: __main__.main(["compare", "a", "b"]),
    ],
)
def test_where_the_system_has_not_what_is_needed_one_line_says_which_have(
    monkeypatch, capsys, command
):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["dqn-run", "lr=0.1"])
    assert command() == 2
    assert capsys.readouterr().err == (
        "this program needs Linux or macOS, got win32; on Windows run it within WSL\n"
    )


def test_there_everything_can_be_imported_and_help_is_shown(tmp_path):
    code = (
        "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "import dqn, dqn.run, sweeps.__main__, dqn.session, dqn.storage.results_dir\n"
        "sys.argv = ['dqn-run', '--help']; sys.exit(dqn.run.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=os.environ | PATH, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
