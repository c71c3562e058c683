"""The call path of one function or class: the part that every call pays for.

It is a closure, because its variables cost nothing to reach.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from ._frames import unseen
from ._recursion import explain_recursion
from ._routes import Route


@unseen
def make_call(route: Route) -> Callable[..., Any]:
    """The call path of one function.

    Idle, it is two tests and the host's function. On a backend, a call whose shape was
    seen to fit goes straight to the implementation. All else is for `Route.attempts`.
    """
    host, keyword, plans = route.host, route.keyword, route.plans
    top, process = route.stack.top.get, route.stack.process
    calls = route.selector.calls(keyword)

    def call(*args: Any, **kwargs: Any) -> Any:
        state = top() or process.state
        if not kwargs or keyword not in kwargs:
            if state is None:
                if not kwargs:
                    return host(*args)
                try:
                    return host(*args, **kwargs)
                except TypeError:
                    kept = route.without_options(kwargs)
                    if kept is None:
                        raise
                return host(*args, **kept)
            label = None
            chosen = state.direct
        else:
            label = kwargs.pop(keyword)
            chosen = None if state is None else state.direct
            if label is not None and (state is None or not state.observers):
                chosen = calls.get(label) if isinstance(label, str) else None
        plan = plans.get(chosen)
        if plan is not None and ((len(args), *kwargs) if kwargs else len(args)) in plan.fits:
            try:
                result = plan.function(*args, **kwargs)
            except RecursionError as error:
                explain_recursion(error, route, plan.backend, sys._getframe(), "route")
                raise
            if result is not NotImplemented or plan.last:
                return result
        else:
            plan = None
        for attempt in route.attempts(label, args, kwargs, plan):
            with attempt.inside:
                try:
                    result = attempt.function(*attempt.args, **attempt.kwargs)
                except RecursionError as error:
                    explain_recursion(error, route, attempt.backend, sys._getframe(), "route")
                    raise
                except TypeError:
                    on_host = attempt.backend is None
                    kept = route.without_options(attempt.kwargs) if on_host else None
                    if kept is None:
                        raise
                    result = attempt.function(*attempt.args, **kept)
            if attempt.last or result is not NotImplemented:
                return result
        raise AssertionError("unreachable: the last attempt is the host's")

    return call
