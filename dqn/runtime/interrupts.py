"""Ctrl-C and SIGTERM as an event, for what stops when it is ready to."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def ctrl_c(heard: Callable[[], None] | None = None) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C (or SIGTERM) sets; a second Ctrl-C acts as it always does.

    `heard` is then called, by a thread.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    received = []

    def ask(number, frame) -> None:
        # Nothing is printed here: the signal may have come in the middle of another line.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        received.append(number)
        asked.set()

    with ExitStack() as ending:
        if heard is not None:
            announcer = threading.Thread(
                target=_announce, args=(asked, received, heard), daemon=True
            )
            announcer.start()
            ending.callback(announcer.join)
            ending.callback(asked.set)
        for number in (signal.SIGINT, signal.SIGTERM):
            ending.callback(signal.signal, number, signal.signal(number, ask))
        yield asked


def _announce(asked: threading.Event, received: list[int], heard: Callable[[], None]) -> None:
    asked.wait()
    if received:
        heard()
