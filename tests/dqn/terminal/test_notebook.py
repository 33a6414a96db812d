"""Progress in a notebook: one output that is replaced, and is empty in the end."""

import sys
import types

import pytest

from dqn.config import Config
from dqn.runtime.notices import heard_by
from dqn.terminal import notebook
from dqn.terminal.console import Screen, showing, steps
from dqn.terminal.progress import RunProgress
from dqn.terminal.tables import as_text, table
from dqn.training.jobs import PoolUpdate


class Display:
    def __init__(self):
        self.shown = []

    def display(self, data, raw, display_id):
        assert raw
        assert display_id
        self.shown.append(data)
        return self

    def update(self, data, raw):
        assert raw
        self.shown.append(data)


@pytest.fixture
def display(monkeypatch):
    """A kernel's display, and this process its kernel."""
    shown, package = Display(), types.ModuleType("IPython")
    package.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    package.display = types.ModuleType("IPython.display")
    package.display.display = shown.display
    monkeypatch.setitem(sys.modules, "IPython", package)
    monkeypatch.setitem(sys.modules, "IPython.display", package.display)
    monkeypatch.setattr(notebook, "_PAUSE", 0.0)
    return shown


def test_bars_are_shown_and_gone_in_the_end(display, capfd):
    with RunProgress([0, 1], Config(seeds=2)) as progress:
        progress.report(PoolUpdate([], [], [], [], []))
    first, *_, last = display.shown
    assert "compiling the program" in first["text/html"]
    assert '<progress max="1.0" value="0' in first["text/html"]
    assert any("0 of 2 seeds done" in shown["text/plain"] for shown in display.shown)
    assert last == {"text/plain": "", "text/html": ""}
    assert capfd.readouterr() == ("", "")


def test_steps_are_shown_as_text_and_html_in_it_stays_text(display):
    with steps() as tell:
        tell("reading <b> ...")
    assert all("<progress></progress>" in shown["text/html"] for shown in display.shown[:-1])
    assert any("reading &lt;b&gt; ..." in shown["text/html"] for shown in display.shown)


def test_where_no_progress_is_wanted_none_is_shown_and_a_notice_is_still_heard(display, capfd):
    heard = []
    with showing(False), heard_by(heard.append), Screen("opening") as screen:
        screen.now_and_then("a line")
        screen.notice("a worker was lost")
    assert heard == ["a worker was lost"]
    assert display.shown == []
    assert capfd.readouterr() == ("", "")


def test_a_table_is_text_there_too(display):
    assert as_text(table(["a"], [["1"]])).split() == ["a", "─", "1"]


def test_a_stream_that_says_it_is_a_terminal_gets_no_bars(display, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with steps() as tell:
        tell("reading ...")
    assert capsys.readouterr().err == ""
    assert display.shown


def test_a_terminal_of_ipython_is_no_notebook(display, monkeypatch):
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: types.SimpleNamespace())
    assert not notebook.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not notebook.in_notebook()
