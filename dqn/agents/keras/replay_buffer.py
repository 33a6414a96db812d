"""Experience replay (Lin 1992; Mnih et al. 2015): the last transitions, sampled uniformly."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn.config.fields import short_repr
from dqn.config.values import number_in
from dqn.envs.adapter import NotTakenError, flag, number, numbers
from dqn.runtime.errors import UserError, must_be

_LARGEST = int(np.iinfo(np.int32).max)  # of an action


class Batch(NamedTuple):
    """A minibatch of B transitions of a task with D observed numbers; every array C-contiguous."""

    states: np.ndarray  # float32 [B, D]
    actions: np.ndarray  # int32 [B]
    rewards: np.ndarray  # float32 [B], raw
    next_states: np.ndarray  # float32 [B, D]
    terminals: np.ndarray  # float32 [B], 1.0 where nothing is to be expected after the reward


class ReplayBuffer:
    """The last `max_capacity` transitions, in arrays allocated at the first append.

    `seed` is anything `numpy.random.default_rng` takes; None draws fresh randomness.

    >>> from dqn import ReplayBuffer
    >>> buffer = ReplayBuffer(100, seed=0)
    >>> for step in range(4):
    ...     buffer.append([step, 0.0], 1, 1.0, [step + 1, 0.0], False)
    >>> len(buffer), buffer.sample(2).states.shape
    (4, (2, 2))
    """

    def __init__(self, max_capacity: int, seed=None):
        self.max_capacity = whole("max_capacity", max_capacity, least=1)
        self._generator = np.random.default_rng(seed)
        self._size = 0
        self._next = 0
        self._fields: Batch | None = None

    def __len__(self) -> int:
        return self._size

    def append(self, state, action, reward, next_state, terminal) -> None:
        """Store one transition (state and next_state [D]), over the oldest one when full.

        Each is taken for what it plainly is: a list for a vector, an array of one number for that
        number, 1 for True. Raises UserError for what is none of it, and when a state's shape is not
        that of the first one stored.
        """
        reward, terminal = _taken(number, "reward", reward), _taken(flag, "terminal", terminal)
        state = _taken(numbers, "state", state)
        next_state = _taken(numbers, "next_state", next_state)
        chosen = (
            action if type(action) is int else whole("action", _taken(number, "action", action))
        )
        if not 0 <= chosen <= _LARGEST:
            raise UserError(f"action must be of one transition, got {chosen}, must count from 0")
        if self._fields is None:
            states = np.zeros((self.max_capacity, *np.shape(state)), np.float32)
            zeros = np.zeros(self.max_capacity, np.float32)
            actions = zeros.astype(np.int32)
            self._fields = Batch(states, actions, zeros, states.copy(), zeros.copy())
        expected = self._fields.states.shape[1:]
        # NumPy would broadcast a smaller state over its row without a word.
        if np.shape(state) != expected or np.shape(next_state) != expected:
            raise UserError(
                f"every state must have the shape of the first one stored, {expected}, but these "
                f"have {np.shape(state)} and {np.shape(next_state)}: use one buffer per task"
            )
        i = self._next
        parts = (state, chosen, reward, next_state, terminal)
        for field, part in zip(self._fields, parts, strict=True):
            field[i] = part
        self._next = (i + 1) % self.max_capacity
        self._size = max(self._size, i + 1)

    def sample(self, batch_size: int) -> Batch | list:
        """`batch_size` transitions, uniform with replacement; [] before 2·batch_size are held."""
        batch_size = whole("batch_size", batch_size, least=0)
        if self._fields is None or self._size < 2 * batch_size:
            return []
        chosen = self._generator.integers(self._size, size=batch_size)
        return Batch(*(field.take(chosen, axis=0) for field in self._fields))


def real(name: str, value: Any, wanted: str = "a number") -> float:
    """A number, of Python's, NumPy's or as a text plainly says it, infinite or not; else UserError.

    A Python float whatever it was: TensorFlow mixes no kinds of numbers.
    """
    given = number_in(value) if isinstance(value, str) else value
    try:
        taken = float(number(given))
    except (NotTakenError, OverflowError):
        taken = math.nan
    if isinstance(given, bool) or math.isnan(taken):
        raise must_be(name, wanted, short_repr(value), value=value)
    return taken


def whole(name: str, value: Any, least: int | None = None) -> int:
    """A whole number, of Python's, NumPy's or with nothing behind its point; else UserError."""
    taken = real(name, value, "a whole number")
    if not taken.is_integer():
        raise must_be(name, "a whole number", short_repr(value), value=value)
    if least is not None and taken < least:
        raise must_be(name, f"at least {least}", value)
    return int(taken)


def boolean(name: str, value: Any) -> bool:
    """True or False, of Python's, NumPy's or as 1 or 0; else UserError."""
    try:
        return flag(value)
    except NotTakenError:
        raise must_be(name, "True or False", short_repr(value), value=value) from None


def _taken(as_what: Callable[[Any], Any], name: str, value: Any) -> Any:
    try:
        return as_what(value)
    except NotTakenError as error:
        raise UserError(f"{name} must be of one transition, got {error}") from None
