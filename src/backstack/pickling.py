"""What pickles name, and what therefore stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._metaclasses import own_route

__all__ = ["restore"]


def restore(cls: type, function: Callable[..., Any], *args: Any) -> Any:
    """Call what makes an instance of `cls` anew, with the host's own implementation in force."""
    route = own_route(cls)
    if route is None:
        return function(*args)
    with route.host_in_force():
        return function(*args)
