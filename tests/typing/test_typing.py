"""What type checkers believe: each of these files is checked by mypy and by pyright.

The files say what types there are, by `assert_type`, and which lines are wrong, by comments that
ignore that one error. An error that does not happen is one itself: such a comment is of no use.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import backstack

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.glob("*.py") if path != Path(__file__))
VERSION = "{}.{}".format(*sys.version_info)
EACH = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def run(command, folder):
    source = str(Path(backstack.__file__).parents[1])
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
    )


@EACH
def test_mypy_believes(file, tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\nwarn_unreachable = true\n")
    command = ["mypy", "--python-version", VERSION, "--cache-dir", tmp_path / "cache", file]
    done = run(command, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@EACH
def test_pyright_believes(file, tmp_path):
    pytest.importorskip("pyright")
    settings = {
        "include": [str(os.path.relpath(file, tmp_path))],
        "pythonVersion": VERSION,
        "typeCheckingMode": "strict",
        "reportUnnecessaryTypeIgnoreComment": "error",
        "enableTypeIgnoreComments": False,  # these are for mypy
        "reportMissingTypeStubs": "none",
        "reportUnusedExpression": "none",
        "reportUnusedFunction": "none",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = run(["pyright", "--pythonpath", sys.executable, "-p", tmp_path], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No source files" not in done.stdout
