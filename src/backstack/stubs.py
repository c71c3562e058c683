"""Stubs of a host's modules, by which type checkers know what backends add to its functions.

A host function that declares ``backend: str | None = None`` needs no stub. Stubs tell more: the
names that are installed here, and the options of the backends with their types.

They are a stub-only package as PEP 561 has it, ``HOST-stubs``, and *partial*: for what is not in
it, checkers look into the host itself. It has the modules that define dispatched functions,
complete with all else that they define, and the packages that these are in. Checkers find it
where they find packages, such as ``site-packages`` or a folder on ``PYTHONPATH``; pyright looks
into a folder called ``typings`` as well.

Dispatched classes stay what they are: it is the class that takes ``backend``, not its constructor,
and checkers know only that. Choose for them by a scope.

Options of backends are shown by a signature only once the backends are loaded. So `stubtest` is
to run where they are, with ``--ignore-missing-stub``, since the package is partial::

    import sys
    from mypy.stubtest import main
    from host import dispatcher

    dispatcher.discover()
    sys.exit(main())
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ._metaclasses import own_route
from ._names import CPU
from ._options import Option, loaded_options
from ._routes import Route
from ._routing import is_default
from ._stub_annotations import FunctionDef, Imports, told
from ._stub_copies import Definition, copied, definition_of, described, file_of, first_line
from ._stub_exports import Exports
from ._stub_functions import Dispatched
from ._stub_sources import parsed_module, reduce_source
from .dispatcher import BackendDispatcher

#: The first line of every stub, by which a later run knows what it may replace.
MARK = "# Written by `backstack stubs`, which replaces it when it is run again."


def make_stubs(dispatcher: BackendDispatcher, *, any_name: bool = False) -> dict[str, str]:
    """The stubs of the modules that define what is dispatched, loading every backend.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's. Functions of other dispatchers of the same host are shown as well.
    any_name : bool
        Let the selector take every string, and not only the names that are installed here.

    Returns
    -------
    dict of str to str
        Paths in a folder of packages, with slashes, and what is to be in these files.
    """
    dispatcher.discover()
    hosts = _modules_of(dispatcher)
    routes: dict[Route, tuple[str, ...] | None] = {}
    for each in _dispatchers(dispatcher, hosts):
        each.discover()
        names = None if any_name else (CPU, *each.available_backend_names())
        for route in sorted(each._alive(), key=lambda route: route.name):
            routes[route] = names
    stubs = {name: _Stub(module, routes) for name, module in sorted(hosts.items())}
    wanted = _with_packages(name for name, stub in stubs.items() if stub.defines_any())
    files: dict[str, str] = {}
    for name, stub in stubs.items():
        if name in wanted and stub.source is not None:
            top, *inner = name.split(".")
            path = "/".join([f"{top}-stubs", *inner])
            is_package = hasattr(hosts[name], "__path__") or not inner
            files[path + ("/__init__.pyi" if is_package else ".pyi")] = f"{MARK}\n{stub.text()}"
            files[f"{top}-stubs/py.typed"] = "partial\n"
    return files


def write_stubs(
    dispatcher: BackendDispatcher, folder: Path | str | None = None, *, any_name: bool = False
) -> list[Path]:
    """Write the stubs of the modules that define what is dispatched, loading every backend.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's. Functions of other dispatchers of the same host are shown as well.
    folder : path, optional
        Where the package ``HOST-stubs`` is to be; by default the current folder. What it
        has of these files already is replaced.
    any_name : bool
        Let the selector take every string, and not only the names that are installed here.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    FileExistsError
        There are stubs already that someone else has written.
    """
    return write_files(make_stubs(dispatcher, any_name=any_name), folder)


def write_files(files: Mapping[str, str], folder: Path | str | None = None) -> list[Path]:
    """Write stubs below a folder, by default the current one."""
    paths = {Path(folder or ".", *name.split("/")): text for name, text in files.items()}
    for path in paths:
        _refuse_to_replace(path.parent)
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(paths)


def _refuse_to_replace(folder: Path) -> None:
    for path in sorted(folder.glob("*.pyi")):
        if not _is_ours(path):
            raise FileExistsError(
                f"{str(path)!r} was not written by 'backstack stubs'; move it away, or put the "
                f"new stubs into another folder."
            )


def _is_ours(path: Path) -> bool:
    return path.read_bytes().startswith(MARK.encode())


# -- which modules -------------------------------------------------------------------------


def _modules_of(dispatcher: BackendDispatcher) -> dict[str, ModuleType]:
    """The modules of the packages that the dispatcher and its functions are made in."""
    places = [dispatcher._module, *(_module_of(route) for route in dispatcher._alive())]
    roots = {place.partition(".")[0] for place in places} - {"__main__", ""}
    return {
        name: module
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in roots and isinstance(module, ModuleType)
    }


def _module_of(route: Route) -> str:
    return str(getattr(route.host, "__globals__", {}).get("__name__", ""))


def _dispatchers(
    first: BackendDispatcher, modules: Mapping[str, ModuleType]
) -> list[BackendDispatcher]:
    found = {id(first): first}
    for module in modules.values():
        for value in list(vars(module).values()):
            if isinstance(value, BackendDispatcher):
                found[id(value)] = value
    return list(found.values())


def _with_packages(names: Iterable[str]) -> set[str]:
    every: set[str] = set()
    for name in names:
        parts = name.split(".")
        every.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return every


def _source(module: ModuleType) -> str | None:
    """The source of a module, or of a stub that somebody wrote for it."""
    file = Path(getattr(module, "__file__", None) or "")
    beside = [file.with_suffix(".pyi"), file] if file.suffix == ".py" else []
    for path in (*_installed_stubs(module), *beside):
        if path.is_file() and not _is_ours(path):
            text = importlib.util.decode_source(path.read_bytes())
            return re.sub(r"\A((?:.*\n)?[ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+", r"\1utf-8", text)
    return None


def _installed_stubs(module: ModuleType) -> Iterator[Path]:
    top, *inner = module.__name__.split(".")
    for folder in sys.path:
        path = Path(folder, f"{top}-stubs", *inner)
        yield from (path / "__init__.pyi", path.with_suffix(".pyi"))


# -- one of them ---------------------------------------------------------------------------


class _Stub:
    """The stub of one module: what dispatching changes in it."""

    def __init__(self, module: ModuleType, routes: Mapping[Route, tuple[str, ...] | None]) -> None:
        self._module, self._names = module, routes
        self._publics = {id(route.public()): route for route in routes if route.by_name}
        self._routes = dict(self._find(route for route in routes if route.by_name))
        self._classes = {
            name
            for name, value in list(vars(module).items())
            if isinstance(value, type) and own_route(value) is not None
        }
        may_be_asked_for = self._routes or self._classes or hasattr(module, "__path__")
        self.source = _source(module) if may_be_asked_for else None
        self._documented: set[str] = set()
        if self.source is not None:
            self._tree = parsed_module(self.source)
            self._imports = self._make_imports()

    def _find(self, routes: Iterable[Route]) -> Iterator[tuple[str, Route]]:
        """What functions the names of the module stand for, by way of any decorators above ours."""
        here = vars(self._module)
        for route in routes:
            inner = inspect.unwrap(route.host)
            name = getattr(inner, "__name__", None)
            is_here = isinstance(name, str) and _module_of(route) == self._module.__name__
            value = here.get(str(name)) if is_here else None
            if callable(value) and value is not route.host:
                yield str(name), route
        for name, value in list(here.items()):
            if id(value) in self._publics:
                yield name, self._publics[id(value)]

    def _make_imports(self) -> Imports:
        used = {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}
        bound = {a.asname or a.name for a in ast.walk(self._tree) if isinstance(a, ast.alias)}
        defined = {*vars(self._module), *(_defined(self._tree)), *bound}
        return Imports({*defined, *used}, defined, self._module.__name__)

    def defines_any(self) -> bool:
        """Whether the module defines anything dispatched, and does not import all of it."""
        dispatched = self._routes.keys() | self._classes
        return self.source is not None and not dispatched.isdisjoint(_defined(self._tree))

    def text(self) -> str:
        """What is in the stub."""
        assert self.source is not None
        assigned = {
            node.targets[0].id
            for node in ast.walk(self._tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        exports = Exports(self._module, self._tree, self._imports, assigned & self._routes.keys())
        return reduce_source(self.source, self._tree, self._module, self._imports, exports, self)

    # -- what dispatching changes ------------------------------------------------------

    def metaclass(self, node: ast.ClassDef) -> str | None:
        """That of a dispatched class derives from `ABCMeta`, whatever the host's class has."""
        cls = vars(self._module).get(node.name)
        route = own_route(cls) if isinstance(cls, type) else None
        if route is None or type(route.host_class) is not type:
            return None
        return self._imports.name_for("abc", "ABCMeta")

    def dispatched(self, node: FunctionDef, *, is_overload: bool) -> Dispatched | None:
        """What dispatching adds to a function that is defined here."""
        route = self._routes.get(node.name)
        if route is None:
            return None
        documented = is_overload or ast.get_docstring(node) is not None
        added = self._added(route, node.name, documented=documented)
        if is_overload:
            return added
        return added._replace(undecorated=tuple(self._undecorated(route, node)))

    def assigned(self, node: ast.Assign) -> str | None:
        """What is defined instead of being made by a call."""
        target = node.targets[0]
        if len(node.targets) > 1 or not isinstance(target, ast.Name):
            return None
        name = target.id
        route = self._publics.get(id(vars(self._module).get(name)))
        if route is None or isinstance(node.value, (ast.Name, ast.Attribute)):
            return None  # nothing of ours, or another name for it: checkers know what that means
        if not inspect.isfunction(route.public()):
            return None  # `stubtest` takes functions only for what ``def`` says
        definition = definition_of(route.host)
        doc = definition is None or ast.get_docstring(definition.node) is not None
        added = self._added(route, name, documented=doc)
        if definition is not None:
            text = copied(definition, name, self._imports, added)
        else:
            try:
                text = described(route.host, route.signature(), name, self._imports, added)
            except (TypeError, ValueError):  # it does not tell its signature
                return None
        return None if text is None else text.replace("\n", "\n" + " " * node.col_offset)

    def _undecorated(self, route: Route, node: FunctionDef) -> list[ast.expr]:
        """The decorators that say nothing to checkers, since they left the function as it is."""
        decorators = node.decorator_list
        ours = [number for number, one in enumerate(decorators) if self._is_ours(one)]
        unchanged = self._is_defined_by(definition_of(route.host), node)
        if unchanged and id(vars(self._module).get(node.name)) in self._publics:
            return decorators
        if unchanged and ours:
            return decorators[ours[0] :]
        return [decorators[number] for number in ours]

    def _is_defined_by(self, definition: Definition | None, node: FunctionDef) -> bool:
        return (
            definition is not None
            and definition.itself
            and file_of(self._module.__name__) == file_of(definition.source.module)
            and first_line(definition.node) == first_line(node)
        )

    def _is_ours(self, decorator: ast.expr) -> bool:
        made_by = decorator.func if isinstance(decorator, ast.Call) else decorator
        value: Any = self._module
        for part in ast.unparse(made_by).split("."):
            value = getattr(value, part, None)
        return isinstance(getattr(value, "__self__", None), BackendDispatcher)

    # -- parameters --------------------------------------------------------------------

    def _added(self, route: Route, name: str, *, documented: bool) -> Dispatched:
        doc = inspect.getdoc(route.public()) if documented else None
        if name in self._documented:
            doc = None
        self._documented.add(name)
        return Dispatched(route.keyword, self._selector(route), self._options(route), doc or None)

    def _selector(self, route: Route) -> str:
        names = self._names[route]
        if names is None:
            return f"{self._imports.builtin('str')} | None"
        literal = self._imports.name_for("typing", "Literal")
        return f"{literal}[{', '.join(map(repr, names))}] | None"

    def _options(self, route: Route) -> dict[str, tuple[str, str]]:
        by_name: dict[str, list[Option]] = {}
        for option in loaded_options(route):
            by_name.setdefault(option[2].name, []).append(option)
        known = _keys_of_kwargs(route)
        return {
            name: self._option(options)
            for name, options in by_name.items()
            if known is not None and name not in known
        }

    def _option(self, options: list[Option]) -> tuple[str, str]:
        """An option; where backends disagree about its type, it takes what any of them takes."""
        types = {
            ast.unparse(told(implementation, parameter, self._imports)): None
            for _, implementation, parameter in options
        }
        union = " | ".join(types)
        return union, _default([parameter.default for _, _, parameter in options], union)


def _defined(tree: ast.Module) -> set[str]:
    """The names that a module defines or assigns, as far as others see them."""
    names: set[str] = set()
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif not isinstance(node, (ast.Lambda, ast.comprehension)):
            waiting += ast.iter_child_nodes(node)
    return names


def _keys_of_kwargs(route: Route) -> frozenset[str] | None:
    """What ``**kwargs: Unpack[...]`` takes; nothing where it is not so, None if nobody can tell."""
    host = inspect.unwrap(route.host)
    named = [p for p in route.signature().parameters.values() if p.kind is p.VAR_KEYWORD]
    annotation = named[0].annotation if named else ""
    if "Unpack[" not in str(annotation):
        return frozenset()
    try:
        kwargs = typing.get_type_hints(host)[named[0].name]
        return frozenset(typing.get_type_hints(typing.get_args(kwargs)[0]))
    except Exception:  # whatever the names in the annotation run into
        return None


def _default(defaults: list[Any], annotation: str) -> str:
    """The default, where it is one that all agree on and that can be written."""
    first = defaults[0]
    # Members of enums are numbers and texts too, and so are numpy's.
    written = type(first) in (bool, int, float, str) and repr(first) not in ("nan", "inf", "-inf")
    written = written or (first is None and "None" in annotation)
    agreed = all(is_default(first, other) for other in defaults[1:])
    return repr(first) if written and agreed else "..."
