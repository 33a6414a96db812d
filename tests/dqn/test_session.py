"""What surrounds a training: how it is stopped."""

import io
import os
import signal

import pytest
from rich.console import Console

from dqn.runtime.interrupts import ctrl_c
from dqn.terminal.console import Screen


class Interrupted(io.RawIOBase):
    """A stream that gets a signal in the middle of its first line."""

    def __init__(self, number):
        self.number, self.written = number, b""

    def writable(self):
        return True

    def write(self, data):
        if not self.written:
            os.kill(os.getpid(), self.number)
        self.written += bytes(data)
        return len(data)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_a_line_stops_after_both_lines_are_whole(number):
    raw = Interrupted(number)
    file = io.TextIOWrapper(io.BufferedWriter(raw), line_buffering=True)
    with Screen("", console=Console(file=file)) as screen, ctrl_c(screen.stopping) as asked:
        screen.line("seed 0 done")
        assert asked.is_set()
    lines = raw.written.decode().splitlines()
    assert lines == ["seed 0 done", "stopping after this chunk; Ctrl-C again stops at once"]


def test_nothing_is_said_where_nobody_asked():
    said, before = [], signal.getsignal(signal.SIGINT)
    with ctrl_c(lambda: said.append("stopping")) as asked:
        assert not asked.is_set()
    assert said == []
    assert signal.getsignal(signal.SIGINT) is before
