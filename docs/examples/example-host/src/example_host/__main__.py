"""Run every function on every installed backend: ``python -m example_host --help``."""

import argparse
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from backstack import BackendError
from example_host import _demo

# What is imported, and what pip calls it.
NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job and return its exit status: 0, 1 where results differ, 2 where it cannot run."""
    options = _parser().parse_args(arguments)
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        return _refuse(f"{' and '.join(missing)} missing: pip install {' '.join(missing)}")
    try:
        return _demo.run(options.backend, options.output)
    except (BackendError, _demo.CannotSaveError) as error:
        return _refuse(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m example_host", description=_demo.__doc__)
    parser.add_argument(
        "--backend",
        metavar="NAME",
        help=f"run cpu and this backend only; without it, {_demo.VARIABLE} says likewise",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        type=Path,
        default=Path("example_host_embeddings.png"),
        help="where to draw the embeddings (default: %(default)s)",
    )
    return parser


def _refuse(message: str) -> int:
    print(f"example_host: {' '.join(message.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
