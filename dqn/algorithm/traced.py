"""Functions traced under the same names in every process, so that the compile cache finds them.

TensorFlow numbers all that it traces, in the order in which it does, and the key of a compiled
program has these numbers in it: a second shape would be found only by a process that happened to
trace the same ones before it. Here each function counts from a number of its own.
"""

import contextlib
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops  # the numbers cannot be set through its public names


class Traced:
    """`function` as a graph for the types of its arguments; `name` tells it from all others.

    `options` are of `tf.function`.
    """

    def __init__(self, function: Callable, name: str, **options):
        self._function: Any = tf.function(function, autograph=False, **options)
        self._name = name

    @property
    def traces(self) -> int:
        """How often it was traced, and compiled if it is to be."""
        return self._function.experimental_get_tracing_count()

    def concrete(self, *arguments) -> Any:
        """The graph for arguments of these types, traced if it is not yet."""
        with _numbered(self._name):
            return self._function.get_concrete_function(*arguments)

    def __call__(self, *arguments):
        """The function's results."""
        with _numbered(self._name):
            return self._function(*arguments)


class Direct(Traced):
    """One that XLA compiles for the types of its first call and that is called without a look.

    `tf.function` looks at every argument in Python to find the program for its type: that takes
    1 ms for 27 tensors, whose program takes 0.1 ms. Every later call must bring tensors of the same
    types and nesting; nothing checks that it does.
    """

    def __init__(self, function: Callable, name: str):
        super().__init__(function, name, jit_compile=True)
        self._program: Any = None

    def __call__(self, *arguments):
        """The function's results, nested as it nests them."""
        if self._program is None:
            self._program = self.concrete(*arguments).inference_fn
        return self._program.call_preflattened(tf.nest.flatten(arguments))


@functools.cache
def _numbers(name: str) -> Iterator[int]:
    """Far from those of any other name; they go on, as two traces must not share one."""
    digest = hashlib.sha256(name.encode()).digest()
    return itertools.count(int.from_bytes(digest[:4]) + 1 << 28)


@contextlib.contextmanager
def _numbered(name: str) -> Iterator[None]:
    ops.get_default_graph()  # or the first function traced makes it, which takes a number
    before, ops.uid = ops.uid, _numbers(name).__next__
    try:
        yield
    finally:
        ops.uid = before
