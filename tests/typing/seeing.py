"""Seeing what happens: records, traces, explanations, errors; and work that runs elsewhere."""

import pickle
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, assert_type

import backstack
from backstack import BackendDispatcher, BackendRecord, CallRecord

dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")


@dispatcher.backend_dispatch
def double(x: int) -> int:
    return x + x


# -- records -------------------------------------------------------------------------------

for record in dispatcher.backends():
    assert_type(record, BackendRecord)
    assert_type(record.name, str)
    assert_type(record.aliases, tuple[str, ...])
    assert_type(record.functions, tuple[str, ...])
    assert_type(record.distribution, str | None)
    assert_type(record.version, str | None)
    assert_type(record.trusted, bool)
    assert_type(record.reason, str | None)
    assert_type(record.as_dict(), dict[str, Any])
    record.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
assert_type(dispatcher.backends()[0], BackendRecord)
assert_type(len(dispatcher.backends()), int)
assert_type(dispatcher.functions, Mapping[str, Any])

# -- traces --------------------------------------------------------------------------------

with dispatcher.trace() as calls:
    double(1)
assert_type(calls[0], CallRecord)
assert_type(calls[0:1], list[CallRecord])
for call in calls:
    assert_type(call, CallRecord)
    assert_type(call.function, str)
    assert_type(call.chosen, str | tuple[str, ...])
    assert_type(call.ran_on, str | None)
    assert_type(call.reason, str | None)
    assert_type(call.dropped, tuple[str, ...])
    assert_type(call.seconds, float | None)
    assert_type(call.raised, bool)
    assert_type(call.fell_back, bool)
    call.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
for row in calls.summary():
    assert_type(row.function, str)
    assert_type(row.calls, int)
    assert_type(row.seconds, float)


def ends() -> int:
    """A trace swallows no exception, so that nothing is missing after this."""
    with dispatcher.trace(everywhere=True):
        return 1


# -- explanations and coverage -------------------------------------------------------------

explanation = dispatcher.explain(double, 1, backend="jax")
assert_type(explanation.function, str)
assert_type(explanation.runs_on, str | None)
assert_type(explanation.chosen, str | tuple[str, ...])
assert_type(
    explanation.chosen_by,
    Literal["call", "scope", "setting", "variable", "default", "query"],
)
assert_type(explanation.dropped, tuple[str, ...])
assert_type(explanation.error, Exception | None)
coverage = dispatcher.coverage()
assert_type(coverage.implemented("double", "jax"), bool | None)
assert_type(coverage.options("double", "jax"), tuple[str, ...])
assert_type(coverage.to_markdown(), str)
coverage.implemented("double")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# -- work that runs elsewhere --------------------------------------------------------------

bound = dispatcher.bind(double)
assert_type(bound.backend, str | tuple[str, ...])
assert_type(bound.on_missing, Literal["warn", "host", "error"])
assert_type(pickle.dumps(bound), bytes)
dispatcher.bind(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
with ThreadPoolExecutor() as pool, dispatcher.executor(pool) as executor:
    assert_type(executor.submit(double, 1), Future[int])

# -- errors --------------------------------------------------------------------------------

try:
    double(1)
except backstack.UnknownBackendError as error:
    assert_type(error.suggestion, str | None)
    assert_type(error.available, tuple[str, ...])
    assert_type(error.label, str | None)
    as_value: ValueError = error
except backstack.BackendNotInstalledError as error:
    assert_type(error.package, str | None)
    assert_type(error.install, str | None)
    as_import: ImportError = error
except backstack.UntrustedBackendError as error:
    assert_type(error.expected, str)
    assert_type(error.found, str)
except backstack.BackendLoadError as error:
    assert_type(error.function, str | None)
except backstack.NotImplementedByBackendError as error:
    assert_type(error.function, str)
except (backstack.ReservedBackendError, backstack.BackendUnavailableError) as error:
    assert_type(error.reason, str)
except backstack.BackendNameError as error:
    assert_type(error.value, str)
except backstack.BackendError as error:
    assert_type(error.host, str)
    assert_type(error.name, str | None)
    assert_type(error.chosen_by, str | None)
    assert_type(error.variable, str | None)
    error.nothing  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

warning: type[UserWarning] = backstack.FallbackWarning
