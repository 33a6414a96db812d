"""Lines that a person should know of: on standard error, or given to whoever asked for them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def notice(line: str) -> None:
    """Say one line; passwords must have been left out."""
    listener = _listener.get()
    if listener is None:
        print(line, file=sys.stderr, flush=True)
    else:
        listener(line)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Have `listener` called with each line, in the place of standard error."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
