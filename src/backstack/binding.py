"""Carrying what is in force here to wherever work runs: other threads, processes, clusters."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from . import errors
from ._bodies import Kind, kind_of, wrap
from ._config import OnMissing
from ._scopes import Scope

if TYPE_CHECKING:
    from .dispatcher import BackendDispatcher

P = ParamSpec("P")
R = TypeVar("R")


class Choice:
    """A selection and a policy, by name, of a dispatcher that may be in another process.

    Parameters
    ----------
    dispatcher : BackendDispatcher or str
        The dispatcher, or ``"module:attribute"`` for where it is kept.
    host : str
        What the host is called, for messages.
    names : tuple of str
        The backends, in order of preference.
    on_missing : str
        The policy.
    pid : int
        The process that it was made in.
    """

    def __init__(
        self,
        dispatcher: BackendDispatcher | str,
        host: str,
        names: tuple[str, ...],
        on_missing: OnMissing,
        pid: int,
    ) -> None:
        self._dispatcher = dispatcher
        self.host = host
        self.names = names
        self.on_missing: OnMissing = on_missing
        self._pid = pid

    @property
    def dispatcher(self) -> BackendDispatcher:
        """The dispatcher in this process; importing the host may be an error that says so."""
        if not isinstance(self._dispatcher, str):
            return self._dispatcher
        from pkgutil import resolve_name

        try:
            found: BackendDispatcher = resolve_name(self._dispatcher)
        except (ImportError, AttributeError) as error:
            raise self._not_here(f"{self._dispatcher!r} cannot be imported: {error}") from error
        self._dispatcher = found
        return found

    def function(self, exported: Exported) -> Callable[..., Any]:
        """A dispatched function in this process; one that is not there is an error as well."""
        functions = self.dispatcher.functions
        if exported.name not in functions:
            try:
                importlib.import_module(exported.module)
            except ImportError as error:
                what = f"{exported.module!r}, which defines {exported!r}, cannot be imported"
                raise self._not_here(f"{what}: {error}") from error
            functions = self.dispatcher.functions
            if exported.name not in functions:
                raise self._not_here(f"{exported.module!r} defines no {exported!r}")
        return functions[exported.name]  # type: ignore[no-any-return]

    def _not_here(self, why: str) -> errors.BackendError:
        return self._located(
            errors.BackendNotInstalledError(
                f"Backend {self.shown} cannot be put in force for {self.host} here, where {why}",
                host=self.host,
                label=self.names[0],
                chosen_by="scope",
            )
        )

    @property
    def shown(self) -> str:
        """Its names, for a message."""
        return ", ".join(map(repr, self.names))

    def scope(self) -> Scope:
        """A scope for it here, after a first look whether it can be entered."""
        scope = self.dispatcher.backend(*self.names, on_missing=self.on_missing)
        try:
            with scope:
                pass
        except errors.BackendError as error:
            raise self._located(error)  # noqa: B904  it is the same
        return scope

    def _located(self, error: errors.BackendError) -> errors.BackendError:
        """`error`, with a note of where it happened if that is another process."""
        if os.getpid() != self._pid:
            error.add_note(f"In {_worker()}.")
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        dispatcher: Any = self._dispatcher
        if not isinstance(dispatcher, str):
            _, (dispatcher,) = dispatcher.__reduce__()
        return Choice, (dispatcher, self.host, self.names, self.on_missing, self._pid)


def _worker() -> str:
    """The process that this is, as far as the engine tells."""
    from multiprocessing import current_process

    name = f"worker process {current_process().name!r} (pid {os.getpid()})"
    distributed: Any = sys.modules.get("distributed")
    try:
        return f"{name}, Dask worker {distributed.get_worker().address}"
    except (AttributeError, ValueError):
        return name


class Bound(Generic[P, R]):
    """A callable that runs another one with the selection in force where it was bound.

    Made by ``host.bind(function)``. It may be called many times, at once, from many threads. It
    pickles by name: another process imports the host, and looks the backends up there. Its
    ``backend`` and ``on_missing`` say what it carries.
    """

    # In slots, since what is copied of a function's `__dict__` may be that of another bound one.
    __slots__ = ("__dict__", "__weakref__", "_call", "_choice", "_function", "_kind")

    def __init__(self, function: Any, choice: Choice) -> None:
        self._choice = choice
        self._call: Callable[..., Any] | None = None
        self._take(function)

    def _take(self, function: Any) -> None:
        if not isinstance(function, Exported):
            self._look_like(function)
        self._function: Any = function  # last: other threads may call this meanwhile

    def _look_like(self, function: Any) -> None:
        functools.update_wrapper(self, function)
        self._kind: Kind = kind_of(function)
        if self._kind == "coroutine":
            mark = getattr(inspect, "markcoroutinefunction", None)
            if mark is not None:
                mark(self)
            else:  # Python 3.11, where only asyncio knows a mark
                self._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]

    @property
    def backend(self) -> str | tuple[str, ...]:
        """The backends that it carries, as canonical names."""
        names = self._choice.names
        return names[0] if len(names) == 1 else names

    @property
    def on_missing(self) -> OnMissing:
        """The policy that it carries."""
        return self._choice.on_missing

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function with what it carries in force."""
        call = self._call
        if call is None:
            scope = self._choice.scope()
            function = self._found()
            call = self._call = wrap(function, scope.around(self._kind), self._kind)
        result: R = call(*args, **kwargs)
        return result

    def _found(self) -> Any:
        """The function itself; in another process it is looked up first."""
        function = self._function
        if isinstance(function, Exported):
            function = self._choice.function(function)
            self._take(function)
        return function

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        call: Any = self  # bound to its first argument
        return self if instance is None else functools.partial(call, instance)

    def __reduce__(self) -> tuple[Any, ...]:
        function = self._function
        route = self._choice.dispatcher._route(function)
        # So that a process without the host can say so, instead of failing to unpickle.
        if route is not None:
            function = Exported(route.name, function.__module__)
        return Bound, (function, self._choice)

    def __copy__(self) -> Bound[P, R]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Bound[P, R]:
        return self

    def __repr__(self) -> str:
        choice = self._choice
        return (
            f"<{self._function!r} bound to backend {choice.shown} of {choice.host}, "
            f"on_missing={choice.on_missing!r}>"
        )


class Exported:
    """A dispatched function of another process, by the name that backends export.

    And the module that defines it, since a host may import its modules only when needed.
    """

    def __init__(self, name: str, module: str) -> None:
        self.name = name
        self.module = module

    def __repr__(self) -> str:
        return f"{self.name}()"


class BoundExecutor(Executor):
    """An executor that binds whatever is submitted to it where it is submitted.

    Made by ``host.executor(pool)``. Everything else is the pool's, which is shut down with it.
    """

    def __init__(self, pool: Any, bind: Callable[[Callable[..., Any]], Bound[..., Any]]) -> None:
        self._pool = pool
        self._bind = bind

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Run ``fn(*args, **kwargs)`` in the pool, with what is in force here."""
        return self._pool.submit(self._bind(fn), *args, **kwargs)  # type: ignore[no-any-return]

    def map(  # type: ignore[override]  # options are the pool's own
        self, fn: Callable[..., R], /, *iterables: Iterable[Any], **options: Any
    ) -> Iterator[R]:
        """As `map`, in the pool, with what is in force here."""
        return self._pool.map(self._bind(fn), *iterables, **options)  # type: ignore[no-any-return]

    def shutdown(self, wait: bool = True, **options: Any) -> None:
        """Shut the pool down."""
        self._pool.shutdown(wait, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)
