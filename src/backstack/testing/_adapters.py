"""Looking at an adapter, by the name of its backend."""

from .._choices import Origin
from .._names import CPU
from ..checking import Findings
from ..checking import check_adapter as check
from ..dispatcher import BackendDispatcher
from ._misuse import check_dispatcher


def check_adapter(dispatcher: BackendDispatcher, name: str) -> Findings:
    """Look at everything that an adapter promises, without calling its functions.

    Labels, exports that match no function, parameters that differ in name, kind, default or
    being required, methods that classes lack, kinds of functions, options without documentation,
    imports that are not cheap, labels that its source does not show, and recursion into itself.
    ``backstack doctor`` shows the same.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's. What is decorated when this is called counts as its functions.
    name : str
        Any name of an installed or registered backend, which is loaded.

    Returns
    -------
    Findings
        A tuple of `backstack.checking.Finding`, the worst first, that prints as a table. Its
        ``ok`` says whether there are only notes.

    Raises
    ------
    ValueError
        For ``"cpu"``, for a name that nobody has (`UnknownBackendError`), and for what is no
        dispatcher.
    BackendNotInstalledError
        For one that the host lists and that is not installed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from backstack import BackendDispatcher
    >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
    >>> @dispatcher.backend_dispatch
    ... def double(x):
    ...     return x + x
    >>> with dispatcher.register(SimpleNamespace(name="text", double=lambda y: f"{y}{y}")):
    ...     for finding in check_adapter(dispatcher, "text"):
    ...         print(finding.severity, finding.code)
    error required-option
    warning missing-parameter
    warning undocumented-option
    """
    registry = check_dispatcher(dispatcher)._registry
    if name == CPU:
        raise ValueError(f"{CPU!r} is {registry.config.host}'s own implementation, no adapter")
    origin = Origin("query", "check_adapter()")
    label = dispatcher._selector.name(name, origin)
    backend = registry.lookup(label) or registry.resolve(label, origin)
    assert backend is not None
    routes = sorted(dispatcher._alive(), key=lambda route: route.name)
    return check(registry, routes, backend, origin)
