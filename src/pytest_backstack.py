"""The pytest plugin of backstack: runs a host's tests on a backend, and has fixtures for them.

Pytest imports this module in every project, so that it imports nothing of backstack until a
project asks for something.
"""

from collections.abc import Iterator
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the configuration."""
    group = parser.getgroup("backstack", "running tests on the backends of a library")
    group.addoption(
        "--dispatch-to",
        metavar="NAME",
        help="run every test with this backend in force, or with several in order of preference, "
        "separated by commas; 'loopback' is the host itself, by way of all of backstack",
    )
    group.addoption(
        "--dispatch-strict",
        action="store_true",
        help="fail tests that fell back to the host, and a run in which nothing ran on the backend",
    )
    parser.addini(
        "dispatcher",
        "where the host's BackendDispatcher is: MODULE:ATTRIBUTE, or a host that says so itself",
    )
    parser.addini("dispatch_differs", "a TOML file of tests that differ on a backend, with reasons")


def pytest_configure(config: pytest.Config) -> None:
    """Run the tests on a backend, if that is asked for."""
    config.addinivalue_line(
        "markers",
        "dispatch_differs(backend, reason): this test is expected to fail on that backend",
    )
    if config.getoption("dispatch_to") is not None:
        from backstack.testing._dispatching import Dispatching

        config.pluginmanager.register(Dispatching(config), "backstack-dispatching")
    elif config.getoption("dispatch_strict"):
        raise pytest.UsageError("--dispatch-strict says nothing without --dispatch-to")


@pytest.fixture(scope="session")
def dispatcher_under_test(pytestconfig: pytest.Config) -> Any:
    """The dispatcher that the ini option ``dispatcher`` names; override it to give another."""
    from backstack.testing._dispatching import load_dispatcher

    try:
        return load_dispatcher(pytestconfig)
    except pytest.UsageError as error:  # which ends a session in words, but not a fixture
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def temporary_backend(dispatcher_under_test: Any) -> Iterator[Any]:
    """Register an adapter, and choose it for the whole process, until the test is over.

    Call it with the adapter, ``temporary_backend(adapter)``; with ``select=False`` it is only
    registered. It may be called several times.
    """
    from contextlib import ExitStack

    from backstack.testing._temporary import TemporaryBackend

    with ExitStack() as stack:
        yield TemporaryBackend(dispatcher_under_test, stack)


@pytest.fixture
def dispatch_trace(dispatcher_under_test: Any) -> Iterator[Any]:
    """The records of every dispatched call that the test makes, in whatever thread."""
    with dispatcher_under_test.trace(everywhere=True) as calls:
        yield calls
