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
import copy
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ._metaclasses import own_route
from ._names import CPU
from ._options import Option, loaded_options
from ._routes import Route
from ._routing import is_default
from ._stub_annotations import Imports, told
from ._stub_sources import FunctionDef, becomes_plain, is_overload, reduce_source
from .dispatcher import BackendDispatcher


def make_stubs(dispatcher: BackendDispatcher, *, any_name: bool = False) -> dict[str, str]:
    """The stubs of the modules that define dispatched functions, loading every backend.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's.
    any_name : bool
        Let the selector take every string, and not only the names that are installed here.

    Returns
    -------
    dict of str to str
        Paths in a folder of packages, with slashes, and what is to be in these files.
    """
    dispatcher.discover()
    names = None if any_name else (CPU, *dispatcher.available_backend_names())
    routes: dict[str, list[Route]] = {}
    for route in sorted(dispatcher._alive(), key=lambda route: route.name):
        module_name = str(getattr(route.public(), "__module__", ""))
        routes.setdefault(module_name, []).append(route)
    files: dict[str, str] = {}
    for name in sorted(_with_packages(routes)):
        module = sys.modules.get(name)
        source = None if module is None else _source(module)
        if module is not None and source is not None:
            top, *inner = name.split(".")
            path = "/".join([f"{top}-stubs", *inner])
            is_package = hasattr(module, "__path__") or not inner
            stub = _Stub(module, source, routes.get(name, ()), names)
            files[path + ("/__init__.pyi" if is_package else ".pyi")] = stub.text()
            files[f"{top}-stubs/py.typed"] = "partial\n"
    return files


def write_stubs(
    dispatcher: BackendDispatcher, folder: Path | str | None = None, *, any_name: bool = False
) -> list[Path]:
    """Write the stubs of the modules that define dispatched functions, loading every backend.

    Parameters
    ----------
    dispatcher : BackendDispatcher
        The host's.
    folder : path, optional
        Where the package ``HOST-stubs`` is to be; by default the current folder. What it
        has of these files already is replaced.
    any_name : bool
        Let the selector take every string, and not only the names that are installed here.

    Returns
    -------
    list of Path
        What was written.
    """
    return write_files(make_stubs(dispatcher, any_name=any_name), folder)


def write_files(files: Mapping[str, str], folder: Path | str | None = None) -> list[Path]:
    """Write files below a folder, by default the current one."""
    written = []
    for name, text in files.items():
        path = Path(folder or ".", *name.split("/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _with_packages(names: Iterable[str]) -> set[str]:
    every: set[str] = set()
    for name in names:
        parts = name.split(".")
        every.update(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return every - {"__main__"}


def _source(module: ModuleType) -> str | None:
    """The source of a module, or of the stub that lies next to it."""
    file = Path(getattr(module, "__file__", None) or "")
    for path in (file.with_suffix(".pyi"), file) if file.suffix == ".py" else ():
        if path.is_file():
            return importlib.util.decode_source(path.read_bytes())
    return None


class _Stub:
    """The stub of one module."""

    def __init__(
        self,
        module: ModuleType,
        source: str,
        routes: Iterable[Route],
        names: tuple[str, ...] | None,
    ) -> None:
        self._module, self._source, self._names = module, source, names
        # By what they are called where they are defined, which need not be how they are public.
        functions = [route for route in routes if route.by_name]
        self._routes = {str(route.host.__qualname__): route for route in functions}
        tree = ast.parse(source)
        self._definitions = {n.name: n for n in ast.walk(tree) if isinstance(n, FunctionDef)}
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        bound = {a.asname or a.name for a in ast.walk(tree) if isinstance(a, ast.alias)}
        self._imports = Imports({*vars(module), *used, *bound})
        self._documented: set[str] = set()

    def text(self) -> str:
        package = self._module.__name__.partition(".")[0]
        return reduce_source(self._source, package, self._imports, self._replace, self._metaclass)

    def _metaclass(self, node: ast.ClassDef) -> str | None:
        """That of a dispatched class derives from `ABCMeta`, whatever the host's class has."""
        cls = vars(self._module).get(node.name)
        route = own_route(cls) if isinstance(cls, type) else None
        if route is None or type(route.host_class) is not type:
            return None
        return self._imports.name_for("abc", "ABCMeta")

    def _replace(self, node: ast.stmt) -> ast.stmt | None:
        """What stands for a dispatched function, however it came to be one."""
        if isinstance(node, FunctionDef):
            route = self._routes.get(node.name)
            if route is not None and vars(self._module).get(node.name) is not route.host:
                return self._dispatched(route, node, node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = vars(self._module).get(name)
            for defined, route in self._routes.items():
                if value is route.public() and defined in self._definitions:
                    return self._dispatched(route, self._definitions[defined], name)
        return None

    def _dispatched(self, route: Route, node: FunctionDef, name: str) -> FunctionDef:
        new = copy.deepcopy(becomes_plain(node))
        new.name = name
        new.decorator_list = [d for d in new.decorator_list if not self._is_ours(d)]
        self._add(route, new.args)
        new.body = [ast.Expr(ast.Constant(...))]
        if name not in self._documented:
            self._documented.add(name)
            doc = inspect.getdoc(route.public())
            if doc and (is_overload(node) or ast.get_docstring(node)):
                indented = doc.replace("\n", "\n    ").replace("\n    \n", "\n\n")
                new.body = [ast.Expr(ast.Constant(indented + ("\n    " if "\n" in doc else "")))]
        return ast.fix_missing_locations(new)

    def _is_ours(self, decorator: ast.expr) -> bool:
        made_by = decorator.func if isinstance(decorator, ast.Call) else decorator
        value: Any = self._module
        for part in ast.unparse(made_by).split("."):
            value = getattr(value, part, None)
        return isinstance(getattr(value, "__self__", None), BackendDispatcher)

    # -- parameters --------------------------------------------------------------------

    def _add(self, route: Route, arguments: ast.arguments) -> None:
        """Add the options and the selector, keyword-only, where a signature shows them."""
        kept = [
            (argument, default)
            for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        ]
        names = [argument.arg for argument, _ in kept]
        place = names.index(route.keyword) if route.keyword in names else len(names)
        named = [*arguments.posonlyargs, *arguments.args]
        known = {*names, *(argument.arg for argument in named)}
        added = [option for option in self._options(route) if option[0].arg not in known]
        selector: ast.expr = ast.Constant(None)
        added.append((ast.arg(route.keyword, self._selector()), selector))
        both = [*kept[:place], *added, *kept[place + 1 :]]
        arguments.kwonlyargs = [argument for argument, _ in both]
        arguments.kw_defaults = [default for _, default in both]

    def _selector(self) -> ast.expr:
        if self._names is None:
            return _parsed("str | None")
        literal = self._imports.name_for("typing", "Literal")
        return _parsed(f"{literal}[{', '.join(map(repr, self._names))}] | None")

    def _options(self, route: Route) -> list[tuple[ast.arg, ast.expr | None]]:
        by_name: dict[str, list[Option]] = {}
        for option in loaded_options(route):
            by_name.setdefault(option[2].name, []).append(option)
        return [self._option(name, options) for name, options in by_name.items()]

    def _option(self, name: str, options: list[Option]) -> tuple[ast.arg, ast.expr | None]:
        """An option; where backends disagree about its type, it takes what any of them takes."""
        types: dict[str, ast.expr] = {}
        for _, implementation, parameter in options:
            annotation = told(implementation, parameter, self._imports)
            types[ast.unparse(annotation)] = annotation
        union = _parsed(" | ".join(types))
        defaults = [parameter.default for _, _, parameter in options]
        return ast.arg(name, union), _default(defaults, ast.unparse(union))


def _default(defaults: list[Any], annotation: str) -> ast.expr:
    """The default, where it is one that all agree on and that can be written."""
    first = defaults[0]
    written = isinstance(first, (bool, int, float, str)) and repr(first) not in (
        "nan",
        "inf",
        "-inf",
    )
    written = written or (first is None and "None" in annotation)
    agreed = all(is_default(first, other) for other in defaults[1:])
    return _parsed(repr(first) if written and agreed else "...")


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
