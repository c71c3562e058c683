"""Choosing for every worker of a Dask cluster, those that come later too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .binding import Choice

if TYPE_CHECKING:
    WorkerPlugin = object  # distributed does not tell its types in full
else:
    from distributed import WorkerPlugin


class BackendPlugin(WorkerPlugin):
    """A plugin for Dask workers that makes a choice their process-wide setting.

    Made by ``host.worker_plugin(...)``, and given to ``client.register_plugin``. What was set
    before is set again when a worker closes or the plugin is taken away.
    """

    def __init__(self, choice: Choice) -> None:
        self.name: str = f"backstack-{choice.host}"
        self._choice = choice
        self._before: Any = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._choice.host}: {self._choice.shown}>"

    def setup(self, worker: Any) -> None:
        """Choose in a worker's process."""
        settings = self._choice.dispatcher.settings
        self._before = settings.process_backend, settings.on_missing
        self._choice.scope()  # an error says in which worker
        settings.process_backend = self._choice.names
        settings.on_missing = self._choice.on_missing

    def teardown(self, worker: Any) -> None:
        """Choose what was chosen before."""
        if self._before is not None:
            settings = self._choice.dispatcher.settings
            settings.process_backend, settings.on_missing = self._before
