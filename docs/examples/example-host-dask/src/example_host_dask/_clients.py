"""Which cluster a call runs on, and the closing of what was opened for it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock

import dask
from distributed import Client, LocalCluster, get_worker, worker_client


@contextmanager
def connected(scheduler: str | None) -> Iterator[Client]:
    """Give a client of `scheduler`, else of what is in use or configured, else of this process.

    What is made here is closed again on leaving, and never becomes anybody's default client. In a
    task of a cluster, that one is in use; the task makes room on its worker meanwhile.
    """
    if scheduler is None and _in_task():
        with worker_client() as client:
            yield client
        return
    current = _current_client() if scheduler is None else None
    if current is not None:
        yield current
        return
    with ExitStack() as stack:
        address = scheduler or dask.config.get("scheduler-address", None)
        target = address or stack.enter_context(_embedded.running())
        yield stack.enter_context(Client(target, set_as_default=False))


def _in_task() -> bool:
    try:
        get_worker()
    except ValueError:  # its way to say that this is none
        return False
    return True


def _current_client() -> Client | None:
    try:
        current: Client = Client.current()
    except ValueError:  # its way to say that there is none
        return None
    return current


class _EmbeddedCluster:
    """Threads of this process as a cluster: calls that overlap share one, the last closes it.

    One for each call would start more threads than there are processors, and the starting
    and closing of several at once is not safe: they change log levels for the whole process
    while they live. The lock is held for starting and closing, never while work runs.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._cluster: LocalCluster | None = None  # None where nobody uses it

    @contextmanager
    def running(self) -> Iterator[LocalCluster]:
        cluster = self._enter()
        try:
            yield cluster
        finally:
            self._leave()

    def _enter(self) -> LocalCluster:
        with self._lock:
            if self._cluster is None:
                self._cluster = _start()
            self._users += 1
            return self._cluster

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._cluster is not None:
                cluster, self._cluster = self._cluster, None
                cluster.close()


def _start() -> LocalCluster:
    # The two status pages cannot be turned off, and would be open to the network: with no
    # address given, they listen on all interfaces.
    return LocalCluster(
        n_workers=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    )


_embedded = _EmbeddedCluster()
