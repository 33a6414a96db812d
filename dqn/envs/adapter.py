"""What an environment gives, taken for what it plainly is: here for lanes, tests, agent and GIF.

A 1 from `step` is a yes, an array of one number is that number, a list is a vector; whatever else
a method gives or raises is an `EnvError` that names the method. Never loads TensorFlow.
"""

import contextlib
import math
import re
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box

from dqn.config.fields import short_repr
from dqn.envs.registry_errors import describe_error
from dqn.runtime.errors import EnvError

SEED_MASK = 0x7FFFFFFF  # many a generator takes 31 bits of a seed and no more
_PARTS = {"step": "5: observation, reward, terminated, truncated, info",
          "reset": "2: observation, info"}  # fmt: skip
_LARGEST = float(np.finfo(np.float32).max)
_REAL = "biuf"  # NumPy's kinds of real numbers
# What a wrapper raises that unpacks what the environment inside it gave.
_UNPACKED = re.compile(r"(?:(\w+ )?values to unpack \(expected [25]|cannot unpack non-iterable)")


class NotTakenError(Exception):
    """A value that is not what it must be; the text says what it is and what it must be."""


class Adapter:
    """One Gymnasium environment of D observed numbers, whose methods give plain values.

    `name` is what errors call it; without an `observation_size`, observations are whatever array
    they are. Raises `EnvError` for whatever the environment's own methods raise, and for what they
    give where that cannot be taken. `close` raises nothing.
    """

    def __init__(self, env: gymnasium.Env, name: str, observation_size: int | None):
        self.env, self.name = env, name
        self.not_finite: EnvError | None = None
        """Of what was given first that is infinite or no number at all."""
        self._size = observation_size

    def reset(self, seed: int | None) -> np.ndarray:
        """Begin an episode; its first observation, float32 [D]. Of a seed 31 bits are used."""
        given = self._call("reset", 2, seed=seed if seed is None else int(seed) & SEED_MASK)
        try:
            return self._noted("reset", observation(given[0], self._size))
        except NotTakenError as error:
            raise self._wrong("reset", f"gave observation {error}") from error

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        """Observation float32 [D] (a copy), reward, terminated and truncated."""
        # Written out, as `_call` would cost a µs more; and so in `flag` and `_noted`.
        try:
            given = self.env.step(action)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises
            raise self._raised("step", error) from error
        if type(given) is not tuple or len(given) != 5:
            self._refuse_parts("step", given, 5)
        name = "observation"
        try:
            s, name = observation(given[0], self._size), "reward"
            r, name = number(given[1]), "terminated"
            terminated, name = flag(given[2]), "truncated"
            truncated = flag(given[3])
        except NotTakenError as error:
            raise self._wrong("step", f"gave {name} {error}") from error
        return self._noted("step", s, r), r, terminated, truncated

    def render(self) -> Any:
        """What the environment draws, as it gives it."""
        return self._call("render", None)

    def close(self) -> None:
        """Close the environment; what that raises costs nothing."""
        with contextlib.suppress(Exception, SystemExit):
            self.env.close()

    def refuse_not_finite(self) -> None:
        """Raise `not_finite` if there is one."""
        if self.not_finite is not None:
            raise self.not_finite

    def _call(self, method: str, parts: int | None, *args: Any, **options: Any) -> Any:
        """What a method of the environment gives, in so many parts."""
        try:
            given = getattr(self.env, method)(*args, **options)
        except (Exception, SystemExit) as error:  # whatever the user's own code raises
            raise self._raised(method, error) from error
        if parts:
            self._refuse_parts(method, given, parts)
        return given

    def _refuse_parts(self, method: str, given: Any, parts: int) -> None:
        if not (isinstance(given, tuple | list) and len(given) == parts):
            raise self._wrong(method, f"gave {format_value(given)}, must give {_PARTS[method]}")

    def _noted(self, method: str, s: np.ndarray, r: float = 0.0) -> np.ndarray:
        """The observation; that it or the reward is not finite is noted, the first time."""
        what = "" if -_LARGEST <= r <= _LARGEST else f"reward {r}"
        # The sum of squares is known sooner; it may be infinite where none of the numbers is.
        if not what and self._size and not (math.isfinite(s.dot(s)) or np.isfinite(s).all()):
            what = f"observation {short_repr(s.tolist())}"
        if what and self.not_finite is None:
            self.not_finite = self._wrong(method, f"gave {what}, must give finite 32-bit numbers")
        return s

    def _wrong(self, method: str, problem: str) -> EnvError:
        return EnvError(self.name, method, problem)

    def _raised(self, method: str, error: BaseException) -> EnvError:
        text = describe_error(error)
        if isinstance(error, TypeError | ValueError) and _UNPACKED.search(str(error)):
            of_step = "expected 2" not in text and method == "step"
            return self._wrong(
                method, f"must give {_PARTS['step' if of_step else 'reset']}: {text}"
            )
        if method == "reset" and "'seed'" in text and isinstance(error, TypeError):
            return self._wrong(method, f"must take seed=None and options=None: {text}")
        return self._wrong(method, f"raised {text}")


def attribute(env: Any, name: str) -> Any:
    """An attribute of an environment, or None: it may be a property of the user's own."""
    try:
        return getattr(env, name)
    except (Exception, SystemExit):
        return None


def name_of(env: gymnasium.Env) -> str:
    """The id it was registered with, or the name of its class."""
    spec = spec_of(env)
    return spec.id if spec else type(getattr(env, "unwrapped", env)).__name__


def spec_of(env: gymnasium.Env) -> EnvSpec | None:
    """How it was registered; None where it was not."""
    return attribute(env, "spec")


def flat_size(env: gymnasium.Env) -> int | None:
    """How many numbers it observes; None where that is no vector."""
    space = getattr(env, "observation_space", None)
    return space.shape[0] if isinstance(space, Box) and len(space.shape) == 1 else None


def observation(value: Any, size: int | None) -> np.ndarray:
    """`value` as a new array float32 [size]; raises `NotTakenError` where it is not so many."""
    if size is None:
        return np.array(value)
    if isinstance(value, list | tuple) and len(value) == size > 1:
        array = np.array([number(item) for item in value])
    else:
        array = numbers(value)
    if array.shape != (size,):
        alone = array.shape[-1:] == (size,) or size == 1  # other axes of 1: one vector all the same
        if array.size != size or not alone:
            raise NotTakenError(
                f"an array of shape {array.shape}, must give shape {(size,)}, that of its Box"
            )
        array = array.reshape(size)
    if array.dtype == np.float32:
        return array.astype(np.float32)
    with np.errstate(over="ignore"):  # too large for 32 bits: infinite, which is refused
        return array.astype(np.float32)


def number(value: Any) -> float:
    """`value` as one number; raises `NotTakenError` where it is not."""
    if isinstance(value, float):  # NumPy's float64 too
        return value
    array = numbers(value, "a number")
    if array.size != 1:
        given = format_value(value) if array.ndim == 0 else f"an array of shape {array.shape}"
        raise NotTakenError(f"{given}, must give a number")
    return float(array.reshape(()).item())


def flag(value: Any) -> bool:
    """`value` as yes or no; raises `NotTakenError` where it is neither, nor 1 or 0."""
    if value is True or value is False:
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    try:
        taken = number(value)
    except NotTakenError:
        taken = -1.0
    if taken not in (0.0, 1.0):
        raise NotTakenError(f"{format_value(value)}, must give True or False")
    return bool(taken)


def format_value(value: Any) -> str:
    """A value in a few words."""
    is_list = isinstance(value, tuple | list) and len(value) > 1
    if is_list and not all(isinstance(item, bool | int | float | np.generic) for item in value):
        return f"{len(value)} values"
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape} of {value.dtype}"
    try:
        return repr(value) if value is None or isinstance(value, bool) else short_repr(value)
    except (Exception, SystemExit):  # of the user's own __repr__
        return f"a {type(value).__name__}"


def numbers(value: Any, wanted: str = "numbers") -> np.ndarray:
    """`value` as an array of real numbers of any shape; raises `NotTakenError`."""
    if type(value) is np.ndarray and value.dtype.kind in _REAL:
        return value
    refused = NotTakenError(f"{format_value(value)}, must give {wanted}")
    try:
        if np.ma.is_masked(value):  # what is behind a mask is no number
            raise refused
        array = np.asarray(value)
        if array.dtype.kind == "O":  # Decimals, Fractions, other libraries' numbers
            if any(item is None or isinstance(item, str | bytes) for item in array.flat):
                raise refused
            array = array.astype(np.float64)
    except (Exception, SystemExit) as error:  # whatever the value's own class raises
        raise refused from error
    if array.dtype.kind not in _REAL:
        raise refused
    return array
