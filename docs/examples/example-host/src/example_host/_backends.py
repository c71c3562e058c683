"""Where this library says which backends it knows, and hands on what its users choose with.

Everything here is cheap: no backend is looked for, let alone imported, until one is chosen.
"""

from backstack import BackendDispatcher

dispatcher = BackendDispatcher(
    entrypoint_group="example_host.backends",
    host_name="example_host",
    # Trust is given here and nowhere else: a package that claims one of these names and is
    # not the one described is refused before any of its code runs.
    trusted_backends={
        "my_backend": {
            "aliases": ["mine", "jax"],
            "package": "my-backend",
            "distributions": ["my-backend"],
            "entrypoints": ["my_backend"],
            "object_refs": ["my_backend._backends.example_host"],
            "module_prefixes": ["my_backend"],
        },
        "dask": {
            "aliases": ["distributed"],
            "package": "example-host-dask",
            "distributions": ["example-host-dask"],
            "entrypoints": ["dask"],
            "object_refs": ["example_host_dask.adapter"],
            "module_prefixes": ["example_host_dask"],
        },
    },
    reserved_backends={"gpu": "Choose a concrete one, such as 'jax'."},
)

backend_dispatch = dispatcher.backend_dispatch
backend_class = dispatcher.backend_class
settings = dispatcher.settings
backend, backends = dispatcher.backend, dispatcher.backends
explain, trace, coverage = dispatcher.explain, dispatcher.trace, dispatcher.coverage
bind, executor, worker_plugin = dispatcher.bind, dispatcher.executor, dispatcher.worker_plugin
verify = dispatcher.verify
