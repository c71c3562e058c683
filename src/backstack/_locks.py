"""Locks that a forked process finds open.

A fork copies a lock that another thread holds, and not the thread that would release it. What
such a lock guards is replaced whole, so that a child can go on with what it finds.
"""

import os
import threading
import weakref
from typing import Any

_known: "weakref.WeakSet[Any]" = weakref.WeakSet()


def new_lock(reentrant: bool = False) -> Any:
    """A lock for a short stretch of our own code; reentrant where foreign code may interrupt it."""
    lock: Any = threading.RLock() if reentrant else threading.Lock()
    _known.add(lock)
    return lock


def _open_all() -> None:
    for lock in list(_known):
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_all)
