"""Whether a block fits into memory, found out before it is made: the system would kill us later."""

import math

from dqn.agents.block import Shape
from dqn.config.fields import INT_BOUND
from dqn.runtime.limits import free_bytes

_COPIES = 2  # XLA keeps the networks a chunk was given until it has those it returns


def shortage(shape: Shape) -> str:
    """Why a block of this shape cannot be made here, in one line; "" where it can."""
    if shape.lanes * (shape.capacity + 1) >= INT_BOUND:
        return (
            f"the {shape.lanes} lanes of a block must hold less than 2^31 transitions, got buffers "
            f"of {shape.capacity:,}; choose a smaller buffer_size"
        )
    needed, free = block_bytes(shape), free_bytes()
    if free is None or needed <= free:
        return ""
    return (
        f"a block of {shape.lanes} lanes must fit into memory, got "
        f"hidden={list(shape.network.hidden)}, batch_size={shape.batch_size} and buffers of "
        f"{shape.capacity:,}, which need {needed / 2**30:,.1f} GiB of {free / 2**30:,.1f} GiB "
        "free; choose smaller ones"
    )


def block_bytes(shape: Shape) -> int:
    """Bytes of a block at work, at least: networks, the optimizer's slots, replay, activations."""
    shapes = shape.network.shapes
    weights = sum(math.prod(weight) for weight in shapes)
    networks = _COPIES * (2 + shape.update.slots) * weights + weights  # and the gradients
    units = shape.network.observation_size + sum(bias[0] for bias in shapes[1::2])
    activations = 3 * shape.batch_size * units  # online on s, target on s', the backward pass
    replay = (shape.capacity + 1) * shape.row
    return 4 * shape.lanes * (networks + activations + replay)
