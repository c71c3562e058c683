"""Run a library's functions on other people's backends.

A *host* marks its public functions with a `BackendDispatcher`; *backends* are other
installed packages that implement the same functions and plug in through entry points;
*users* choose, per call, per block, or for the whole process.
"""

from . import errors
from ._call_records import CallRecord
from ._records import BackendRecord
from ._registrations import Registration
from ._scopes import Scope
from .dispatcher import BackendDispatcher
from .errors import *  # noqa: F403  one list of names, kept where the names are
from .settings import Settings


def load_ipython_extension(shell: object) -> None:
    """Complete the names of backends in IPython and Jupyter: ``%load_ext backstack``.

    Parameters
    ----------
    shell : InteractiveShell
        IPython calls this with itself.
    """
    from .completing import install

    install(shell)


def unload_ipython_extension(shell: object) -> None:
    """Undo `load_ipython_extension`: ``%unload_ext backstack``.

    Parameters
    ----------
    shell : InteractiveShell
        IPython calls this with itself.
    """
    from .completing import uninstall

    uninstall(shell)


__version__ = "0.1.0"

__all__ = [
    "BackendDispatcher",
    "BackendRecord",
    "CallRecord",
    "Registration",
    "Scope",
    "Settings",
    "__version__",
]
__all__ += errors.__all__
