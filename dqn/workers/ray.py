"""Workers on a Ray cluster, each an actor: one per core, or one per GPU where there are any.

The scheduler, the study and all files stay where the command was given. Every machine needs this
package and what it imports (a user's own environment too) in the same versions.
"""

import contextlib
import logging
import multiprocessing
import os
import pickle
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from dqn.runtime.errors import RunError, first_line, missing_package, must_be
from dqn.runtime.secrets import hidden
from dqn.runtime.tensorflow import GPU_SWITCH
from dqn.training.jobs import Report, WorkRequest
from dqn.workers.backend import WorkerLostError
from dqn.workers.local import serve

_LOOK = 2.0  # seconds between looks at how large the cluster is
_MOST_TOGETHER = 64  # reports that one message may hold


class RayActor:
    """What runs on the cluster: a worker's loop in a thread of its own, and its two ends.

    Its reports go as bytes, so that the scheduler's arrays hold no memory of Ray's.
    """

    def __init__(self):
        import ray

        if ray.get_gpu_ids():  # one of its own
            os.environ.setdefault(GPU_SWITCH, "1")
        self._line, theirs = multiprocessing.Pipe()
        threading.Thread(target=serve, args=[theirs], daemon=True).start()

    def node(self) -> str:
        """The machine it is on, as Ray calls it."""
        import ray

        return ray.get_runtime_context().get_node_id()

    def request(self, request: WorkRequest) -> None:
        """Pass a request on to the loop."""
        self._line.send(request)

    def reports(self) -> list[bytes]:
        """Wait for a report of the loop; all there are since."""
        text = [self._line.recv_bytes()]
        while len(text) < _MOST_TOGETHER and self._line.poll():
            text.append(self._line.recv_bytes())
        return text


class RayWorker:
    """A `backend.Worker`: an actor, and the last thing it was asked for."""

    def __init__(self, ray: Any, actor: Any):
        self._ray, self._actor = ray, actor
        self._node = ""
        self.asked = actor.node.remote()  # comes back once it is placed

    @property
    def ready(self) -> bool:
        """As `backend.Worker.ready`."""
        return bool(self._node)

    def send(self, request: WorkRequest) -> None:
        """As `backend.Worker.send`."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._actor.request.remote(request)

    def poll(self) -> Sequence[Report]:
        """As `backend.Worker.poll`."""
        try:
            got = self._ray.get(self.asked)
            self.asked = self._actor.reports.remote()
        except self._ray.exceptions.RayError as error:
            raise self._gone(error) from error
        if not self._node:
            self._node = got
            return []
        return [pickle.loads(text) for text in got]

    def end(self) -> str:
        """As `backend.Worker.end`."""
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(self._actor)
        return "its actor ended"

    def _gone(self, error: Exception) -> WorkerLostError:
        text = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = [hidden(line) for line in text or [type(error).__name__]]
        if getattr(error, "actor_init_failed", False):  # it would again, for ever
            raise RunError(
                f"a worker cannot start on the cluster ({text[-1]}); every machine needs this "
                "package in this version"
            ) from error
        with_its_node = not self._node or not _alive(self._ray, self._node)
        reason = "its machine has left the cluster" if with_its_node else " ".join(text)[:300]
        return WorkerLostError(reason, node_lost=with_its_node)


class RayBackend:
    """The Ray cluster at `address`, or by RAY_ADDRESS, or one of this machine alone.

    `most` bounds the number of workers. Raises `UserError` where Ray is not installed or the
    cluster does not respond.
    """

    def __init__(self, address: str | None, most: int):
        try:
            import ray
        except ImportError as error:
            raise missing_package("fleet=ray", "Ray", "ray>=2.50") from error
        self._ray, self._most = ray, most
        self._started_it = not ray.is_initialized()
        # "local": not one that somebody else started here, which Ray would find by itself.
        address = address or os.environ.get("RAY_ADDRESS") or "local"
        try:
            if self._started_it:
                _reach(address)
                ray.init(
                    address=address,
                    include_dashboard=False if address == "local" else None,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (OSError, ValueError, RuntimeError) as error:
            rule, got = "of a Ray cluster that responds", f"{address} ({first_line(error)})"
            advice = "start one with ray start --head, or leave it out"
            raise must_be("ray_address", rule, got, advice, value=address) from error
        self._on_gpus = ray.cluster_resources().get("GPU", 0) >= 1
        options: Any = {"num_cpus": 1, "num_gpus": int(self._on_gpus), "max_concurrency": 2}
        self._remote = ray.remote(**options)(RayActor)
        self._size, self._looked = 0, -_LOOK

    @property
    def capacity(self) -> int:
        """As `backend.Backend.capacity`: looked up every two seconds."""
        if time.monotonic() - self._looked > _LOOK:
            try:
                resources = self._ray.cluster_resources()
            except self._ray.exceptions.RayError as error:
                raise RunError(
                    f"the Ray cluster is gone ({first_line(error)}); finished trainings are saved, "
                    "the same command resumes"
                ) from error
            self._size = int(resources.get("GPU" if self._on_gpus else "CPU", 0))
            self._looked = time.monotonic()
        return min(self._size, self._most)

    def start(self) -> RayWorker:
        """As `backend.Backend.start`: Ray places it as soon as it can."""
        return RayWorker(self._ray, self._remote.remote())

    def wait(self, workers: Sequence[RayWorker], seconds: float) -> Sequence[RayWorker]:
        """As `backend.Backend.wait`."""
        asked = {worker.asked: worker for worker in workers}
        if not asked:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(asked), num_returns=1, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        return [asked[reference] for reference in ready]

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._started_it:
            self._ray.shutdown()


def _reach(address: str, seconds: float = 10.0) -> None:
    """Raise `OSError` where nobody listens: Ray itself would try for five minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=seconds).close()


def _alive(ray: Any, node: str) -> bool:
    """Whether a machine is there: Ray itself takes a while to hear that it is not."""
    for known in ray.nodes():
        if known["NodeID"] == node and known["Alive"]:
            try:
                _reach(f"{known['NodeManagerAddress']}:{known['NodeManagerPort']}", seconds=2.0)
                return True
            except OSError:
                return False
    return False
