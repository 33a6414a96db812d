"""Whether a block fits into memory, found out before it is made: the system would kill us later."""

import math

from dqn.agents.networks import network_of
from dqn.agents.optimizers import OPTIMIZERS
from dqn.agents.replay import width
from dqn.config.fields import INT_BOUND
from dqn.envs.program_key import ProgramKey
from dqn.runtime.limits import free_bytes

_COPIES = 2  # XLA keeps the networks a chunk was given until it has those it returns


def shortage(key: ProgramKey) -> str:
    """Why a block of this key cannot be made here, in one line; "" where it can."""
    if key.lanes * (key.capacity + 1) >= INT_BOUND:
        return (
            f"the {key.lanes} lanes of a block must hold less than 2^31 transitions, got buffers "
            f"of {key.capacity:,}; choose a smaller buffer_size"
        )
    needed, free = _block_bytes(key), free_bytes()
    if free is None or needed <= free:
        return ""
    return (
        f"a block of {key.lanes} lanes must fit into memory, got "
        f"hidden={list(key.network.hidden)}, batch_size={key.batch_size} and buffers of "
        f"{key.capacity:,}, which need {needed / 2**30:,.1f} GiB of {free / 2**30:,.1f} GiB "
        "free; choose smaller ones"
    )


def _block_bytes(key: ProgramKey) -> int:
    """Bytes of a block at work, at least: networks, the optimizer's slots, replay, activations."""
    shapes = network_of(key).shapes
    kept = _COPIES * (2 + OPTIMIZERS[key.optimizer].slots)  # online, target
    networks = (kept + 1) * sum(math.prod(weight) for weight in shapes)  # and the gradients
    units = key.observation_size + sum(bias[0] for bias in shapes[1::2])
    activations = 3 * key.batch_size * units  # online on s, target on s', the backward pass
    replay = (key.capacity + 1) * width(key.observation_size)
    return 4 * key.lanes * (networks + activations + replay)
