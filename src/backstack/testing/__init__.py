"""For hosts to prove that they dispatch, and for backends to prove that they conform.

There is a pytest plugin as well; see `pytest --dispatch-to`.
"""

from ._adapters import check_adapter
from ._conformance import run_conformance
from ._loopback import loopback

__all__ = ["check_adapter", "loopback", "run_conformance"]
