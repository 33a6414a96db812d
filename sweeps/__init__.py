"""What to run, and what it says: studies over many configurations of `dqn`."""

import dqn  # noqa: F401 - which names the new path of a module that moved
