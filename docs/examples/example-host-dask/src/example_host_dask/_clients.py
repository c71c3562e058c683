"""Which cluster a call runs on, and the closing of what was opened for it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dask
from distributed import Client, LocalCluster


@contextmanager
def connected(scheduler: str | None) -> Iterator[Client]:
    """Give a client of `scheduler`, else of what is in use or configured, else of a new cluster.

    What is made here is closed again on leaving, and never becomes anybody's default client.
    """
    current = _current_client() if scheduler is None else None
    if current is not None:
        yield current
        return
    with ExitStack() as stack:
        address = scheduler or dask.config.get("scheduler-address", None)
        target = address or stack.enter_context(_embedded_cluster())
        yield stack.enter_context(Client(target, set_as_default=False))


def _current_client() -> Client | None:
    try:
        current: Client = Client.current()
    except ValueError:  # its way to say that there is none
        return None
    return current


def _embedded_cluster() -> LocalCluster:
    # The two status pages cannot be turned off, and would be open to the network: with no
    # address given, they listen on all interfaces.
    return LocalCluster(
        n_workers=1,
        processes=False,
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    )
