"""Which stand-in a host's function gets."""

import types
import weakref
from typing import Any

from . import _functions
from ._importlib_bootstrap_alike import make_call
from ._routes import Route


def make_proxy(route: Route) -> Any:
    """What stands in the place of a host's function from now on."""
    makers: Any = _functions
    if type(route.host) is not types.FunctionType:
        from . import _callables as makers
    proxy = makers.new(route.host)
    proxy._self_route = route
    proxy._self_wrapped = route.host
    makers.put_call(proxy, make_call(route))
    route.public = weakref.ref(proxy)
    return proxy
