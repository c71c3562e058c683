"""Folders of installed distributions, some of which have a backend."""

import importlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUP = "benchmark.backends"

ADAPTER = """
name = "b{number}"
aliases = ["alias{number}"]
__all__ = ["f"]


def f(x, *, option{number}=1):
    '''Do it.

    Parameters
    ----------
    option{number} : int
        An option.
    '''
    return x
"""


@contextmanager
def site(backends: int, distributions: int = 0) -> Iterator[Path]:
    """A folder on the path with that many backends, in so many distributions at least."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(max(backends, distributions)):
            info = folder / f"dist{number}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: dist{number}\nVersion: 1.0\n"
            )
            if number < backends:
                entry = f"[{GROUP}]\nb{number} = adapter_{number}\n"
                (folder / f"adapter_{number}.py").write_text(ADAPTER.format(number=number))
            else:
                entry = "[console_scripts]\nx = y:z\n"
            (info / "entry_points.txt").write_text(entry)
        sys.path.insert(0, name)
        importlib.invalidate_caches()
        try:
            yield folder
        finally:
            sys.path.remove(name)
            for module in [m for m in sys.modules if m.startswith("adapter_")]:
                del sys.modules[module]
            sys.path_importer_cache.pop(name, None)
