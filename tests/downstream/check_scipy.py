"""Whether SciPy's own tests come out the same where its functions run by way of backstack.

Runs them as they are, with every function dispatched to the loopback backend and watched, and so
that nobody looks on, and compares the outcomes test by test.
``python tests/downstream/check_scipy.py``
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).parent
TESTS = [
    "scipy.ndimage.tests.test_filters",
    "scipy.ndimage.tests.test_fourier",
    "scipy.ndimage.tests.test_interpolation",
    "scipy.ndimage.tests.test_measurements",
    "scipy.ndimage.tests.test_morphology",
    "scipy.stats.tests.test_correlation",
    "scipy.stats.tests.test_hypotests",
    "scipy.stats.tests.test_morestats",
    "scipy.stats.tests.test_rank",
    "scipy.stats.tests.test_stats",
]
DISPATCHED = [
    *("-p", "scipy_host"),
    *("-o", "dispatcher=scipy_host:dispatcher"),
    *("--dispatch-to", "loopback"),
    "--dispatch-strict",
]


def outcomes(report: Path, options: list[str], **environment: str) -> dict[str, str]:
    """The outcome of each test, by its id."""
    path = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
    # With no configuration, or that of this project would hold.
    command += ["-c", os.devnull, f"--rootdir={report.parent}", f"--junitxml={report}", *options]
    subprocess.run(
        [*command, "--pyargs", *TESTS],
        env={**os.environ, "PYTHONPATH": path, **environment},
        check=False,
    )
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


def main() -> int:
    """Run them all, and say what differs; 1 if anything does, or if hardly anything was run."""
    with tempfile.TemporaryDirectory() as folder:
        plain = outcomes(Path(folder, "plain.xml"), [])
        runs = {
            "on loopback": outcomes(Path(folder, "watched.xml"), DISPATCHED),
            "on loopback, unseen": outcomes(
                Path(folder, "unseen.xml"), ["-p", "scipy_host"], SCIPY_HOST_UNSEEN="1"
            ),
        }
    different = 0
    for how, run in runs.items():
        for name in sorted({*plain, *run}):
            if plain.get(name) != run.get(name):
                different += 1
                print(f"{name}: {plain.get(name)} as it is, {run.get(name)} {how}")
    passed = sum(outcome == "passed" for outcome in plain.values())
    print(f"{len(plain)} tests of SciPy, {passed} of which pass; {different} differ on loopback")
    return int(bool(different) or passed < 3000)


if __name__ == "__main__":
    sys.exit(main())
