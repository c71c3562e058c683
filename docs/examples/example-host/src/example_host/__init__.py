"""Scores, embeddings and summaries of data matrices, in NumPy or on an installed backend."""

from example_host._backends import (
    backend,
    backends,
    bind,
    coverage,
    executor,
    explain,
    settings,
    trace,
    verify,
    worker_plugin,
)
from example_host.functions import compute_score, embed, summarize
from example_host.neighbors import Neighborhood

__all__ = [
    "Neighborhood",
    "backend",
    "backends",
    "bind",
    "compute_score",
    "coverage",
    "embed",
    "executor",
    "explain",
    "settings",
    "summarize",
    "trace",
    "verify",
    "worker_plugin",
]
