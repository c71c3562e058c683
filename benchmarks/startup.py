"""asv suites: what importing costs, each time in a fresh interpreter."""

import subprocess
import sys
import textwrap

HOST = """
from backstack import BackendDispatcher
dispatcher = BackendDispatcher(entrypoint_group="benchmark.backends", host_name="benchmark")
lines = ("@dispatcher.backend_dispatch", "def f{{}}(x, y=1, *, k=0): return x", "")
source = "".join(chr(10).join(lines).format(n) for n in range({count}))
exec(compile(source, "host.py", "exec"))
"""


class Import:
    """Importing backstack, and beside it what it is compared with."""

    def timeraw_backstack(self) -> str:
        return "import backstack"

    def timeraw_wrapt(self) -> str:
        return "import wrapt"

    def timeraw_inspect(self) -> str:
        return "import inspect"

    def track_modules_beyond_wrapt(self) -> int:
        """How many modules a host loads on our account, besides our own."""
        script = (
            "import sys, wrapt\nbefore = set(sys.modules)\n"
            + HOST.format(count=10)
            + "new = set(sys.modules) - before\n"
            "print(len([name for name in new if name.partition('.')[0] != 'backstack']))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
        return int(done.stdout)


class ImportHost:
    """Importing a host with so many dispatched functions."""

    params = (10, 1_000)
    param_names = ("functions",)

    def timeraw_host(self, count: int) -> str:
        return textwrap.dedent(HOST.format(count=count))
