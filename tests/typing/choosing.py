"""Choosing a backend: scopes, settings, and adapters that are registered by hand."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from backstack import BackendDispatcher, Registration, Scope, Settings

dispatcher = BackendDispatcher(
    entrypoint_group="host.backends",
    host_name="host",
    trusted_backends={"jax": {"aliases": ["cuda"], "package": "jax-host"}},
    reserved_backends={"gpu": "Choose a concrete one."},
    env_var=None,
)
BackendDispatcher()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
BackendDispatcher(entrypoint_group=5, host_name="host")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# -- scopes --------------------------------------------------------------------------------

assert_type(dispatcher.backend("jax"), Scope)
assert_type(dispatcher.backend("jax", "cpu", on_missing="error"), Scope)
dispatcher.backend(on_missing="maybe")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
dispatcher.settings.on_missing = "maybe"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
dispatcher.backend(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
dispatcher.backend(["jax"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

with dispatcher.backend("jax") as scope:
    assert_type(scope, Scope)


def ends() -> int:
    """A scope swallows no exception, so that nothing is missing after this."""
    with dispatcher.backend("jax"):
        return 1


@dispatcher.backend("jax")
def function(data: list[int], *, deep: bool = False) -> float:
    return 1.0


@dispatcher.backend("jax")
async def coroutine(data: str) -> bytes:
    return data.encode()


@dispatcher.backend(on_missing="host")
def generator(count: int) -> Iterator[int]:
    yield count


@dispatcher.backend("jax")
async def asynchronous(count: int) -> AsyncIterator[int]:
    yield count


assert_type(function([1], deep=True), float)
function("a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
assert_type(generator(1), Iterator[int])
assert_type(asynchronous(1), AsyncIterator[int])


async def main() -> None:
    assert_type(await coroutine("a"), bytes)


# -- settings ------------------------------------------------------------------------------

settings = dispatcher.settings
assert_type(settings, Settings)
assert_type(dispatcher.settings.backend, str | tuple[str, ...])
assert_type(dispatcher.settings.process_backend, str | tuple[str, ...] | None)
settings.backend = "jax"
settings.backend = ["jax", "cpu"]
settings.backend = ("jax", "cpu")
settings.backend = None
settings.backend = 5  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
settings.process_backend = "jax"
settings.process_backend = 5  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
settings.on_missing = "error"
settings.trust = "require"
assert_type(settings.available_backends(), list[str])
assert_type(settings.use_backend("jax"), Scope)
assert_type(settings.get_backend("jax"), Any)
dispatcher.settings = settings  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

# -- adapters that are registered by hand --------------------------------------------------


class Adapter:
    name = "fake"


assert_type(dispatcher.register(Adapter), Registration)
with dispatcher.register(Adapter(), exclusive=True) as handle:
    assert_type(handle, Registration)
    assert_type(handle.name, str)
handle.remove()
dispatcher.register()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# -- asking for names ----------------------------------------------------------------------

assert_type(dispatcher.resolve_name("cuda"), str | None)
assert_type(dispatcher.available_backend_names(), list[str])
dispatcher.resolve_name(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
dispatcher.discover()
dispatcher.refresh()
dispatcher.reset_warnings()
