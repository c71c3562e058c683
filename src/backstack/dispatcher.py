"""`BackendDispatcher`: the one object that a host library touches."""

import os
import sys
import weakref
from collections.abc import Callable, Mapping
from types import EllipsisType, MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast, overload

from . import _messages as messages
from ._choices import Origin, Selection
from ._config import (
    ON_MISSING,
    Config,
    OnMissing,
    Trust,
    check_keyword,
    check_option,
    make_config,
    variable_labels,
)
from ._function_checks import check_host
from ._names import CPU
from ._proxies import make_proxy
from ._registrations import Registration
from ._registry import Registry
from ._routes import Route
from ._scopes import Scope
from ._selecting import Selector
from ._stack import Process, Stack
from ._standing import Standing
from .settings import Settings, make_scope

if TYPE_CHECKING:
    from .binding import Bound, BoundExecutor, Choice
    from .coverage import Coverage
    from .explaining import Call, Explanation
    from .reports import BackendTable
    from .tracing import Trace
    from .verifying import Compare, Comparison, OnMismatch

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
P = ParamSpec("P")
R = TypeVar("R")


class BackendDispatcher:
    """Runs a host library's public functions on the backends that its users choose.

    A host makes one, decorates its functions with `backend_dispatch`, and hands
    `settings`, `backend`, `backends` and `trace` on to its users.

    Parameters
    ----------
    entrypoint_group : str
        The entry-point group in which backends offer their adapters.
    host_name : str
        What the host is called, in messages and in the environment variable.
    trusted_backends : mapping, optional
        The backends that the host knows: canonical names to mappings with ``aliases``,
        ``package``, ``install``, and what the provider must look like:
        ``distributions`` (also ``packages``), ``entrypoints``, ``object_refs``,
        ``module_prefixes``. Each of these takes a list, tuple or set, or one string, and
        has a singular form that takes one string. ``distributions`` defaults to
        ``package``. Every field that is given must match.
    reserved_backends : mapping, optional
        Names that nobody may use, each with the reason to tell.
    on_missing : {"warn", "host", "error"}
        What happens where the chosen backend lacks a function: run the host's own and warn
        once, run it silently, or raise.
    trust : {"warn", "require"}
        Whether backends that are not listed run, with a warning, or are refused.
    keyword : str
        The parameter by which a call chooses.
    env_var : str or None
        The environment variable that chooses where the process starts. By default
        `host_name` in capitals, other characters as ``_``, and ``_BACKEND``. None
        turns it off.

    Raises
    ------
    ValueError
        For any mistake in the configuration; names the backend and the field.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
    >>> @dispatcher.backend_dispatch
    ... def double(x):
    ...     return x + x
    >>> with dispatcher.register(SimpleNamespace(name="text", double=lambda x: f"{x}{x}")):
    ...     double(4), double(4, backend="text")
    (8, '44')
    """

    def __init__(
        self,
        *,
        entrypoint_group: str,
        host_name: str,
        trusted_backends: Mapping[str, Mapping[str, Any]] | None = None,
        reserved_backends: Mapping[str, str] | None = None,
        on_missing: OnMissing = "warn",
        trust: Trust = "warn",
        keyword: str = "backend",
        env_var: str | EllipsisType | None = ...,
    ) -> None:
        self._config: Config = make_config(
            entrypoint_group=entrypoint_group,
            host_name=host_name,
            trusted_backends=trusted_backends,
            reserved_backends=reserved_backends,
            on_missing=on_missing,
            trust=trust,
            keyword=keyword,
            env_var=env_var,
        )
        self._packages: set[str] = {host_name}
        self._module = str(sys._getframe(1).f_globals.get("__name__"))
        self._own(self._module)
        # A route lives as long as what is public of it.
        self._routes: weakref.WeakValueDictionary[str, Route] = weakref.WeakValueDictionary()
        self._registry = Registry(self._config, self._packages, self._changed)
        self._registry.tighten_by_variable(os.environ.get(self._config.trust_variable, ""))
        self._selector = Selector(self._registry)
        self._stack = Stack(host_name, Process(self._variable(), on_missing), self)
        self._settings = Settings(self._selector, self._stack)
        self._comparisons: dict[str, Comparison] = {}

    def _variable(self) -> Selection | None:
        """What the environment asks for; nobody looks what that is before the first call."""
        variable = self._config.variable
        labels = variable_labels(variable)
        if not labels:
            return None
        origin = Origin("variable", variable or "")
        if labels[0] == CPU:
            return Selection(labels[:1], labels[:1], (None,), origin)
        return Selection(labels, labels, None, origin)

    def _own(self, module: object) -> None:
        """Count the package of `module` as the host's, so that warnings skip it.

        The outermost that has a file: a namespace package has none, and others live in it.
        """
        parts = module.split(".") if isinstance(module, str) else []
        for end in range(1, len(parts) + 1):
            package = ".".join(parts[:end])
            if getattr(sys.modules.get(package), "__file__", None) or end == len(parts):
                if package != "__main__":
                    self._packages.add(package)
                return

    def _changed(self) -> None:
        self._selector.forget()
        self._stack.process.unsettle()
        kept = self._registry.table().backends
        for route in self._alive():
            route.forget(kept)
            route.merge_copies()

    def _alive(self) -> list[Route]:
        # By way of the references: other threads may decorate meanwhile.
        routes = [route for ref in self._routes.valuerefs() if (route := ref()) is not None]
        return [route for route in routes if route.public() is not None]

    # -- for the host ------------------------------------------------------------------

    @overload
    def backend_dispatch(self, function: F, /) -> F: ...
    @overload
    def backend_dispatch(
        self, /, *, name: str | None = None, keyword: str | None = None
    ) -> Callable[[F], F]: ...
    def backend_dispatch(
        self,
        function: Any = None,
        /,
        *,
        name: str | None = None,
        keyword: str | None = None,
    ) -> Any:
        """Mark a public function, so that calls of it can run on backends.

        Adds a keyword-only ``backend=None`` to its signature. The function may declare
        ``backend: str | None = None`` itself, keyword-only, so that type checkers see it.

        Parameters
        ----------
        function : callable
            A module-level function or a closure.
        name : str, optional
            What backends export it as; by default its ``__name__``.
        keyword : str, optional
            Another name for the selector, where ``backend`` means something else.

        Returns
        -------
        callable
            A proxy that tools cannot tell from the function itself.

        Raises
        ------
        TypeError
            For a class, a method, a callable whose signature cannot be inspected, and a
            function with another use for the selector's name.
        ValueError
            Where another function has that name.
        """
        if function is None:
            return lambda decorated: self._dispatch(decorated, name, keyword)
        return self._dispatch(function, name, keyword)

    def _dispatch(self, function: Any, name: str | None, keyword: str | None) -> Any:
        keyword = self._config.keyword if keyword is None else check_keyword(keyword)
        name = check_host(function, keyword, name)
        if getattr(_route_of(function), "registry", None) is self._registry:
            raise TypeError(f"{name}() is dispatched already; decorate it once.")
        self._claim(name, function, "backend_dispatch")
        route = Route(function, name, keyword, self._selector, self._stack)
        proxy = make_proxy(route)
        self._routes[name] = route
        return proxy

    def _claim(self, name: str, public: Any, decorator: str) -> None:
        """See to it that `name` is free for `public`; a reload of the same may have it again."""
        identity = _identity(public)
        old = self.functions.get(name) if name in self._routes else None
        if old is not None and _identity(old) != identity:
            raise ValueError(
                f"{name!r} is dispatched already, for {'.'.join(_identity(old))}; give "
                f"{'.'.join(identity)} another name: @{decorator}(name='...')."
            )
        self._own(identity[0])

    @overload
    def backend_class(self, cls: C, /) -> C: ...
    @overload
    def backend_class(
        self, /, *, name: str | None = None, keyword: str | None = None
    ) -> Callable[[C], C]: ...
    def backend_class(
        self, cls: Any = None, /, *, name: str | None = None, keyword: str | None = None
    ) -> Any:
        """Mark a public class, so that a backend may replace the whole of it.

        A backend exports a class of the same name, which need not inherit from the host's.
        ``Model(x)`` then makes an instance of the class that is chosen, and ``Model(x,
        backend="jax")`` chooses for itself; all other arguments are passed on unchanged.
        Only calling the class itself dispatches. Subclasses construct as ever, unless they
        are decorated too, and unpickling and copying stay with the host's class.

        Parameters
        ----------
        cls : type
            The class. Put this above other decorators.
        name : str, optional
            What backends export it as; by default its ``__name__``.
        keyword : str, optional
            Another name for the selector, where ``backend`` means something else.

        Returns
        -------
        type
            A class that takes the place of `cls`: a subclass of it with the same name and
            the same contents, which has no instances of another layout.

        Raises
        ------
        TypeError
            For what is not a class, or is dispatched already; for one whose constructor has
            a parameter called like the selector, that cannot be subclassed or not without
            class keywords, or that calls ``super`` with its own name.
        ValueError
            Where another function or class has that name.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_class
        ... class Model:
        ...     def __init__(self, size):
        ...         self.size = size
        >>> class FastModel:
        ...     def __init__(self, size):
        ...         self.size = size
        >>> with dispatcher.register(SimpleNamespace(name="fast", Model=FastModel)):
        ...     type(Model(3)).__name__, type(Model(3, backend="fast")).__name__
        ('Model', 'FastModel')
        """
        if cls is None:
            return lambda decorated: self._dispatch_class(decorated, name, keyword)
        return self._dispatch_class(cls, name, keyword)

    def _dispatch_class(self, cls: Any, name: str | None, keyword: str | None) -> Any:
        from ._class_checks import check_class
        from ._classes import dispatch_class

        keyword = self._config.keyword if keyword is None else check_keyword(keyword)
        name = check_class(cls, keyword, name)
        self._claim(name, cls, "backend_class")
        route = dispatch_class(cls, name, keyword, self._selector, self._stack)
        self._routes[name] = route
        return route.cls

    @property
    def functions(self) -> Mapping[str, Any]:
        """The dispatched functions and classes that are alive, by the names that backends export.

        Returns
        -------
        mapping of str to callable
            A snapshot; a function that nobody holds any more is not in it.
        """
        pairs = [(route.name, route.public()) for route in self._alive()]
        return MappingProxyType({name: public for name, public in pairs if public is not None})

    def register(self, adapter: object, exclusive: bool = False) -> Registration:
        """Add an adapter without an entry point, for notebooks and tests.

        It is its caller's own act: it counts as trusted, and hides an installed backend of
        the same name or alias until it is taken away. A scope that was entered meanwhile
        keeps the adapter that it entered with.

        Parameters
        ----------
        adapter : module, class or object
            With a ``name``, and callables named after the host's functions. A class is
            instantiated once, without arguments.
        exclusive : bool
            Hide every installed backend.

        Returns
        -------
        Registration
            A handle that takes it away again; also a context manager.

        Raises
        ------
        BackendLoadError
            If it cannot be a backend; says why.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> handle = dispatcher.register(SimpleNamespace(name="fake", aliases=["f"]))
        >>> dispatcher.resolve_name("f")
        'fake'
        >>> handle.remove()
        """
        registration = self._registry.register(adapter, exclusive)
        self._merge_all()
        return registration

    def discover(self) -> None:
        """Load every backend that may be loaded, so that signatures and docstrings show all.

        For documentation builds. A backend that fails costs only itself: it is logged, and
        `backends` tells why. Where warnings are errors, one is raised when all are loaded.
        """
        self._registry.load_all()
        self._merge_all()

    def _merge_all(self) -> None:
        for route in self._alive():
            route.merge_copies(read=True)

    def refresh(self) -> None:
        """Look again for what is installed, for a package that was installed meanwhile.

        Failures are forgotten, `is_available` is asked again, and every warning that is
        given once is given anew. Adapters that are loaded stay.
        """
        self._registry.refresh()

    def reset_warnings(self) -> None:
        """Give the warnings that are given once again."""
        self._registry.reset_warnings()
        self._selector.forget()

    # -- for users ---------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """What holds in the whole process."""
        return self._settings

    def backend(self, *names: str, on_missing: OnMissing | None = None) -> Scope:
        """A scope in which calls run on a backend: a context manager and a decorator.

        Parameters
        ----------
        *names : str
            One name, or several in order of preference. Each function runs on the first
            that implements it. Without names, only the policy changes.
        on_missing : {"warn", "host", "error"}, optional
            What happens where the backend lacks a function; by default what holds outside.

        Returns
        -------
        Scope
            Making one does nothing: names are checked and a backend is loaded on entry.

        Raises
        ------
        ValueError
            At once, if `on_missing` is none of the three.
        BackendError
            On entry, if a name cannot be used.

        Examples
        --------
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> with dispatcher.backend("cpu"):
        ...     dispatcher.settings.backend
        'cpu'
        """
        return make_scope(self._stack, self._selector, names, on_missing)

    def backends(self) -> "BackendTable":
        """What is installed: one record per backend, loading none.

        Returns
        -------
        BackendTable
            A tuple of `BackendRecord` that prints as a table, in a notebook as HTML.

        Examples
        --------
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> dispatcher.backends()
        No backends are installed.
        """
        from .reports import BackendTable

        registry, functions = self._registry, self.functions
        return BackendTable(registry.record(b, functions) for b in registry.by_name())

    def trace(self, *, everywhere: bool = False) -> "Trace":
        """A context manager that records every dispatched call made inside it.

        Parameters
        ----------
        everywhere : bool
            Record the calls of every thread and task while it is active, and not only those
            that are made in its own context.

        Returns
        -------
        Trace
            ``with host.trace() as calls`` gives the records, a `CallRecord` each;
            ``calls.summary()`` counts them by function and backend.

        Examples
        --------
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x):
        ...     return x + x
        >>> with dispatcher.trace() as calls:
        ...     _ = double(2)
        >>> calls[0].function, calls[0].ran_on, calls[0].chosen_by
        ('double', 'cpu', 'default')
        """
        from .tracing import Trace

        return Trace(self._stack, everywhere)

    def explain(self, function: Any, /, *args: Any, **kwargs: Any) -> "Explanation":
        """Where a call would run and who decided that, without running it.

        The backend that the call would run on is made ready as the call would make it: it is
        imported, and asked whether it can run here. What the call would raise is told, not
        raised, and the warnings that it would give are told, not given, except the one
        that the code of an unlisted backend runs. Whether a backend will decline the call
        is only known when it runs.

        Parameters
        ----------
        function : callable or str
            A dispatched function or class, a `functools.partial` or another wrapper of one, or
            its name.
        *args, **kwargs
            The arguments of the call, ``backend=`` included.

        Returns
        -------
        Explanation
            Prints as text, in a notebook as HTML.

        Raises
        ------
        TypeError
            If this host does not dispatch `function`.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x, verbose=False):
        ...     return x + x
        >>> with dispatcher.register(SimpleNamespace(name="text", double=lambda x: f"{x}{x}")):
        ...     with dispatcher.backend("text"):
        ...         dispatcher.explain(double, 4, verbose=True)
        double() would run on 'text'.
          chosen   'text', by a 'with' scope
          from     an adapter registered by hand
          dropped  'verbose'
          warning  DroppedArgumentWarning: Backend 'text' does not know 'verbose' of double();
                   it is left out.
        """
        from .explaining import explain

        return explain(self._call(function, args, kwargs))

    def _call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "Call":
        """A call of `function`, however wrapped; `TypeError` if it is none of this host's."""
        from .explaining import find_call

        found = self.functions.get(function) if isinstance(function, str) else function
        call = find_call(found, args, kwargs, self._own_route)
        if call is None:
            raise TypeError(messages.not_dispatched(self._config.host, function, self.functions))
        return call

    def coverage(self) -> "Coverage":
        """Which backend implements which function, importing none.

        What is installed is read from its source. Refused backends are not in it.

        Returns
        -------
        Coverage
            Prints as a table, in a notebook as HTML; also as Markdown and as a picture.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x):
        ...     return x + x
        >>> @dispatcher.backend_dispatch
        ... def half(x):
        ...     return x / 2
        >>> def in_blocks(x, block_size=8):
        ...     return x + x
        >>> with dispatcher.register(SimpleNamespace(name="blocks", double=in_blocks)):
        ...     dispatcher.coverage()
        function  blocks
        --------  ----------------
        double    yes (block_size)
        half      -
                  1 of 2
        """
        from .coverage import make_coverage

        return make_coverage(self._registry, self._alive())

    def verify(
        self,
        *names: str,
        compare: "Compare" = None,
        on_mismatch: "OnMismatch" = "warn",
        on_missing: OnMissing | None = None,
    ) -> Scope:
        """A scope in which each call runs on the host too, and the results are compared.

        For whoever distrusts a backend's numbers, and for CI. The host works on copies of the
        arguments, made before the backend could change them. Of functions that return nothing,
        what became of the arguments is compared. Generators and dispatched classes are not
        compared.

        Parameters
        ----------
        *names : str
            The backends, as for `backend`; without any, what is chosen outside.
        compare : callable or mapping, optional
            How results are compared: a callable of the host's result and the backend's, which
            returns None or true where they agree, and else false or a text, or raises
            `AssertionError`; tolerances, as in ``{"rtol": 1e-3, "atol": 0.1}``; or a mapping
            from names of functions to one of these. What is not given is as `set_comparison`
            has it.
        on_mismatch : {"warn", "error"}
            Whether a difference is a `BackendMismatchWarning` or a `BackendMismatchError`.
        on_missing : {"warn", "host", "error"}, optional
            As for `backend`.

        Returns
        -------
        Scope
            A context manager and a decorator.

        Raises
        ------
        ValueError
            At once, for another `on_mismatch` or `on_missing`, and for tolerances that are none.
        BackendMismatchError
            From a call inside.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def half(x):
        ...     return x / 2
        >>> rounding = SimpleNamespace(name="rounding", half=lambda x: x // 2)
        >>> with dispatcher.register(rounding), dispatcher.verify("rounding", on_mismatch="error"):
        ...     half(4.0), half(3.0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        backstack.errors.BackendMismatchError: half() on backend 'rounding' gives other results ...
        """
        from .verifying import ON_MISMATCH, Verifier, VerifyingScope, comparisons

        check_option(on_mismatch, ON_MISMATCH, "on_mismatch")
        if on_missing is not None:
            check_option(on_missing, ON_MISSING, "on_missing")
        verifier = Verifier(comparisons(compare, self._comparisons, self.functions), on_mismatch)
        options = {"compare": compare, "on_mismatch": on_mismatch, "on_missing": on_missing}
        select, host = self._selector.for_scope, self._config.host
        return VerifyingScope(verifier, options, self._stack, select, {}, names, on_missing, host)

    def set_comparison(
        self,
        function: Any,
        compare: Callable[[Any, Any], Any] | None = None,
        *,
        rtol: float | None = None,
        atol: float | None = None,
    ) -> None:
        """Say how `verify` compares the results of a function; for the host to give.

        By default numbers may differ by ``rtol`` times the host's plus ``atol``, where ``rtol``
        is the square root of the rounding error of the coarser of both types, 1e-5 at least, and
        ``atol`` a hundredth of that root times the largest number in the host's array. Whole
        numbers and texts have to be equal. Arrays of any kind, sparse matrices, data frames,
        containers and the attributes of objects are looked into.

        Parameters
        ----------
        function : callable or str
            A dispatched function, or its name.
        compare : callable, optional
            Takes the host's result and the backend's; as for `verify`.
        rtol, atol : float, optional
            Tolerances, if there is no `compare`: relative to the host's result, and absolute in
            its unit.

        Raises
        ------
        TypeError
            If `function` is none of this host's, or `compare` cannot be called.
        ValueError
            For tolerances that are none.
        """
        from .verifying import comparison

        route = self._call(function, (), {}).route
        self._comparisons[route.name] = comparison(compare, rtol, atol)

    # -- for work that runs elsewhere --------------------------------------------------

    def bind(self, function: Callable[P, R]) -> "Bound[P, R]":
        """A callable that carries what is in force here, and has it in force when it runs.

        For work that is handed to a pool, another thread, another process or a cluster, which
        would run with what is in force *there*. The process-wide setting and the policy are
        carried too, and ``"cpu"`` where nothing else is chosen.

        Parameters
        ----------
        function : callable
            A function, a method, a partial, a coroutine function or a generator function, which
            need not be dispatched itself.

        Returns
        -------
        Bound
            It pickles by name, and the process that it comes to has to have the host and the
            backends installed.

        Raises
        ------
        TypeError
            If `function` cannot be called.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x):
        ...     return x + x
        >>> text = SimpleNamespace(name="text", double=lambda x: f"{x}{x}")
        >>> with dispatcher.register(text), ThreadPoolExecutor() as pool:
        ...     with dispatcher.backend("text"):
        ...         bound = dispatcher.bind(double)
        ...     list(pool.map(bound, [1, 2])), list(pool.map(double, [1, 2]))
        (['11', '22'], [2, 4])
        """
        from .binding import Bound

        if not callable(function):
            raise TypeError(f"{function!r} cannot be called, and so not be bound.")
        return Bound(function, self._choice())

    def executor(self, pool: Any) -> "BoundExecutor":
        """`pool`, binding whatever is submitted to it.

        Parameters
        ----------
        pool : concurrent.futures.Executor
            Any object with ``submit``, ``map`` and ``shutdown``.

        Returns
        -------
        BoundExecutor
            An executor; leaving it as a context manager shuts the pool down.

        Examples
        --------
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from types import SimpleNamespace
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> @dispatcher.backend_dispatch
        ... def double(x):
        ...     return x + x
        >>> text = SimpleNamespace(name="text", double=lambda x: f"{x}{x}")
        >>> with dispatcher.register(text), dispatcher.executor(ThreadPoolExecutor()) as pool:
        ...     with dispatcher.backend("text"):
        ...         results = pool.map(double, [1, 2])
        ...     list(results)
        ['11', '22']
        """
        from .binding import BoundExecutor

        return BoundExecutor(pool, self.bind)

    def worker_plugin(self, *names: str, on_missing: OnMissing | None = None) -> Any:
        """A plugin that chooses for every worker of a Dask cluster, present and future.

        Parameters
        ----------
        *names : str
            The backends in order of preference; without any, what is in force here.
        on_missing : {"warn", "host", "error"}, optional
            The policy; by default the one in force here.

        Returns
        -------
        BackendPlugin
            For ``client.register_plugin``. It needs the package ``distributed``.

        Raises
        ------
        ImportError
            Where ``distributed`` is not installed.
        ValueError
            If `on_missing` is none of the three.

        Examples
        --------
        >>> dispatcher = BackendDispatcher(entrypoint_group="demo.backends", host_name="demo")
        >>> dispatcher.worker_plugin("cpu").name  # what takes it away again
        'backstack-demo'
        """
        from .clusters import BackendPlugin

        if on_missing is not None:
            check_option(on_missing, ON_MISSING, "on_missing")
        return BackendPlugin(self._choice(names, on_missing))

    def _choice(self, names: tuple[str, ...] = (), on_missing: OnMissing | None = None) -> "Choice":
        from .binding import Choice

        current = self._settings.backend
        chosen = names or ((current,) if isinstance(current, str) else current)
        policy = on_missing or cast("OnMissing", self._stack.on_missing())
        return Choice(self, self._config.host, tuple(chosen), policy, os.getpid())

    def _route(self, function: Any) -> Route | None:
        """The route of a function or class that is dispatched here, unless it was replaced."""
        route = self._own_route(function)
        return route if route is not None and self._routes.get(route.name) is route else None

    def _own_route(self, function: Any) -> Route | None:
        """The route of a function or class that was ever dispatched here."""
        route = _route_of(function)
        if isinstance(function, type):
            from ._metaclasses import own_route

            route = own_route(function)
        return route if route is not None and route.registry is self._registry else None

    # -- asking ------------------------------------------------------------------------

    def get_backend(self, name: str) -> Any:
        """The adapter of a backend, loading it.

        Parameters
        ----------
        name : str
            Any of its names.

        Returns
        -------
        object or None
            None for ``"cpu"`` and for what is not there.

        Raises
        ------
        BackendError
            As selecting it would, for one that is there and fails.
        """
        return self._selector.adapter(name)

    def resolve_name(self, label: str) -> str | None:
        """The canonical name behind any name of a backend.

        Parameters
        ----------
        label : str
            A name or an alias. Where nobody is known to have it, those backends are loaded
            whose names only running them can tell.

        Returns
        -------
        str or None
            None if nobody has it. A backend that the host lists has its name even while it
            is not installed.

        Raises
        ------
        BackendNameError
            If `label` is not a non-empty string.
        """
        return self._selector.resolve_name(label)

    def available_backend_names(self) -> list[str]:
        """Every name that can be chosen besides ``"cpu"``, loading nobody.

        Returns
        -------
        list of str
            Canonical names and aliases, sorted.
        """
        return list(self._registry.usable())

    def __reduce__(self) -> tuple[Any, ...]:
        from ._places import place_of

        place = place_of(self, self._module)
        if place is None:
            from pickle import PicklingError

            raise PicklingError(
                f"{self!r} cannot be pickled, since no module holds it: another process finds a "
                "dispatcher by the module that it is an attribute of. Assign it at the top level "
                "of one, as in 'dispatcher = BackendDispatcher(...)'."
            )
        from pkgutil import resolve_name

        return resolve_name, (":".join(place),)

    def __copy__(self) -> "BackendDispatcher":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "BackendDispatcher":
        return self

    def __repr__(self) -> str:
        return f"<BackendDispatcher of {self._config.host}: {len(self.functions)} functions>"


def _route_of(function: Any) -> Route | None:
    return function._self_route if isinstance(function, Standing) else None


def _identity(function: Any) -> tuple[str, str]:
    """What tells one function from another: a reload gives the same again."""
    module = getattr(function, "__module__", None) or ""
    kind = getattr(function, "__class__", type(function))  # a partial has no name of its own
    return module, getattr(function, "__qualname__", None) or kind.__qualname__
