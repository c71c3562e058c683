"""What pickles name, and what therefore stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._metaclasses import own_route

__all__ = ["restore"]


def restore(cls: type, function: Callable[..., Any], *args: Any) -> Any:
    """Call what makes an instance of a dispatched class anew, with the host's own in force.

    Pickles of such instances name this function, where the class has a ``__reduce__`` of its
    own.

    Parameters
    ----------
    cls : type
        The dispatched class.
    function : callable
        What the class's own ``__reduce__`` says is to be called.
    *args
        With what.

    Returns
    -------
    object
        What it returns.
    """
    route = own_route(cls)
    if route is None:
        return function(*args)
    with route.host_in_force():
        return function(*args)
