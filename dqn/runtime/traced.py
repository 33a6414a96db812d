"""Functions that are traced once and for all, and compiled by XLA.

To trace a block's functions takes TensorFlow a second, to read the graphs that were made of them
0.01 s. And only a graph that is the same in every process is found in the compile cache, which
knows a program by its names, its text and the places in the source that its operations come from.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDefLibrary
from tensorflow.python.eager import context  # adds and calls a graph: not under a public name

Results = Callable[..., Any]
"""Of a function's arguments: anything nested as what it returns, None where a tensor will be."""


class Kept(Protocol):
    """Where graphs are kept: by a text that says what of, but not by which code.

    Where compiled programs are kept too, it has `compiled(name, call, again)`: the result of
    `call`, the first one of a program; `again` is one under another name.
    """

    def get(self, name: str, /) -> bytes | None:
        """The graph of that name, if it is there."""
        ...

    def __setitem__(self, name: str, graph: bytes, /) -> None: ...


class Compiled:
    """`function` of tensors and variables, nested as one likes, as a program for their types.

    `name` is its own, its first word is for people. Every call after the first must
    bring the same types and nesting: nothing checks that it does, as looking at each in Python
    takes longer than many a program. What else types or the graph depend on is `static`: keywords
    given to `function`, with a program for each of their values.
    """

    def __init__(
        self,
        function: Callable,
        name: str,
        results: Results = lambda *_: None,
        kept: Kept | None = None,
    ):
        self._function, self._name, self._results = function, name, results
        self._kept: Kept = {} if kept is None else kept
        self._programs: dict[tuple, Callable] = {}

    @property
    def compilations(self) -> int:
        """How many programs were made of it."""
        return len(self._programs)

    def __call__(self, *tensors, **static):
        """The function's results, nested as it nests them."""
        key = tuple(static.values())
        if key in self._programs:
            return self._programs[key](tensors)
        # What follows compiles the program, or takes the one that was kept.
        graph, nesting = self.graph(*tensors, **static), self._results(*tensors)

        def call(graph: bytes):
            self._programs[key] = _program(FunctionDefLibrary.FromString(graph), nesting)
            return self._programs[key](tensors)

        if (compiled := getattr(self._kept, "compiled", None)) is None:
            return call(graph)
        name = self._full_name(tensors, static)
        return compiled(name, lambda: call(graph), lambda: call(_under_new_name(graph)))

    def _full_name(self, tensors, static) -> str:
        types = [f"{x.dtype.name}{x.shape.as_list()}" for x in tf.nest.flatten(tensors)]
        return " ".join([self._name, *map(repr, static.items()), *types])

    def graph(self, *tensors, **static) -> bytes:
        """A library of the functions that it consists of, itself the last of them."""
        name = self._full_name(tensors, static)
        if (graph := self._kept.get(name)) is None:
            self._kept[name] = graph = self._trace(tensors, static)
        return graph

    def _trace(self, tensors, static) -> bytes:
        traced: Any = tf.function(
            lambda *tensors: self._function(*tensors, **static), autograph=False, jit_compile=True
        )
        concrete = traced.get_concrete_function(*tensors)
        tf.nest.assert_same_structure(concrete.structured_outputs, self._results(*tensors))
        library = concrete.graph.as_graph_def().library.function
        others = {function.signature.name: function for function in library}
        functions = list(_callees_first(concrete.function_def, others))
        label = self._name.split()[0]
        graph = _named(functions, label)
        # No two graphs of one process may have one name.
        return _named(functions, f"{label}_{hashlib.sha256(graph).hexdigest()[:16]}")


def _program(graph: Any, nesting) -> Callable:
    """A graph that TensorFlow knows from now; compiled when it is first called."""
    known: Any = context.context()
    for function in graph.function:
        known.add_function_def(function)
    signature = graph.function[-1].signature
    name, results = signature.name.encode(), len(signature.output_arg)
    nesting = tf.nest.map_structure(lambda _: None, nesting)

    def program(tensors):
        given = [x.handle if isinstance(x, tf.Variable) else x for x in tf.nest.flatten(tensors)]
        return tf.nest.pack_sequence_as(nesting, known.call_function(name, given, results))

    return program


def _callees_first(function, others: dict[str, Any]) -> Iterator[Any]:
    """`function` last, each of those of `others` that it needs before what needs it; none twice."""
    for called in _called(function):
        if (callee := others.pop(called.name, None)) is not None:
            yield from _callees_first(callee, others)
    yield function


def _under_new_name(graph: bytes) -> bytes:
    functions = list(FunctionDefLibrary.FromString(graph).function)
    return _named(functions, f"{functions[-1].signature.name}_anew")


def _named(functions: list, name: str) -> bytes:
    """The graph of these functions once they are called `name`, `name_1` and so on.

    TensorFlow has numbered them, and arguments after them, in the order in which it made them.
    """
    names = {}
    for i, function in enumerate(reversed(functions)):
        names[function.signature.name] = f"{name}_{i}" if i else name
    for function in functions:
        function.signature.name = names[function.signature.name]
        for called in _called(function):
            called.name = names[called.name]
        arguments = {x.name: f"argument_{i}" for i, x in enumerate(function.signature.input_arg)}
        for argument in function.signature.input_arg:
            argument.name = arguments[argument.name]
        for node in function.node_def:
            node.input[:] = [arguments.get(x, x) for x in node.input]
        for output, x in list(function.ret.items()):
            function.ret[output] = arguments.get(x, x)
    return FunctionDefLibrary(function=functions).SerializeToString(deterministic=True)


def _called(function) -> Iterator[Any]:
    """Where a function names another one."""
    for node in function.node_def:
        for _, value in sorted(node.attr.items()):
            if value.HasField("func"):
                yield value.func
            yield from value.list.func
