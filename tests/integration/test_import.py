"""What importing a host costs: no module that `import wrapt` does not bring, and no lazy one."""

import json

HOST = """
    import functools, json, sys
    import wrapt
    before = set(sys.modules)
    import backstack
    dispatcher = backstack.BackendDispatcher(
        entrypoint_group="host.backends",
        host_name="host",
        trusted_backends={"accel": {"package": "accel", "aliases": ["fast"]}},
    )

    def outer(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    @dispatcher.backend_dispatch
    def f(x, *, k=1):
        \"\"\"Do it.\"\"\"
        return x

    f(1), f(1, k=2), f(1, backend="cpu")
    with dispatcher.backend("cpu"):
        f(1)
    print(json.dumps(sorted(set(sys.modules) - before)))
    """

LAZY = {
    "_copies",
    "_differences",
    "_discovery",
    "_dispatchers",
    "_docstrings",
    "_drawing",
    "_eager_imports",
    "_failing_lines",
    "_installed",
    "_loading",
    "_missing_name",
    "_missing_self",
    "_near_variables",
    "_options",
    "_routing",
    "_self_calls",
    "_signatures",
    "_sources",
    "_stub_annotations",
    "_stub_copies",
    "_stub_edits",
    "_stub_exports",
    "_stub_flow",
    "_stub_functions",
    "_stub_sources",
    "_trust",
    "binding",
    "checking",
    "cli",
    "coverage",
    "explaining",
    "reports",
    "tracing",
}


def test_importing_and_calling_a_host_loads_nothing_else(run_python):
    loaded = set(json.loads(run_python(HOST)))
    own = {name for name in loaded if name.partition(".")[0] == "backstack"}
    assert loaded - own == set()
    assert own.isdisjoint(f"backstack.{name}" for name in LAZY)


def test_a_host_of_plain_functions_does_not_load_wrapt(run_python):
    script = HOST.replace("import wrapt\n", "\n") + '\n    print("wrapt" in sys.modules)'
    assert run_python(script).splitlines()[-1] == "False"


def test_asking_for_a_docstring_of_a_host_alone_does_not_load_numpydoc(run_python):
    script = (
        HOST
        + '''
    @dispatcher.backend_dispatch
    def g(x):
        """Do it.

        Parameters
        ----------
        x : int
            What to do.
        """
    assert "backend : str" in g.__doc__
    print("numpydoc" in sys.modules)
    '''
    )
    assert run_python(script).splitlines()[-1] == "False"
