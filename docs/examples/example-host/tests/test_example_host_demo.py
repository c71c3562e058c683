"""The main job, ``python -m example_host``, as a user runs it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from example_host import _demo

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

HOST_ROWS = [
    [function, "cpu", "cpu"]
    for function in ("compute_score", "embed", "summarize", "Neighborhood")
    for _ in ("call", "scope", "setting")
]


def run_demo(tmp_path, *arguments, **variables):
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("EXAMPLE_HOST")}
    return subprocess.run(
        [sys.executable, "-m", "example_host", *arguments],
        cwd=tmp_path,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def rows(output):
    """Return function, asked for and ran on of each line of the table."""
    table = output.split("\n\n")[1].splitlines()[2:]
    cells = [line.split("  ") for line in table]
    return [[row[0], row[1], row[3]] for row in ([c.strip() for c in r if c] for r in cells)]


def test_the_host_alone(tmp_path):
    done = run_demo(tmp_path, "--backend", "cpu")
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == HOST_ROWS
    assert "within 1e-06" in done.stdout
    assert (tmp_path / "example_host_embeddings.png").read_bytes().startswith(b"\x89PNG")


def test_the_variable_chooses_as_the_option_does(tmp_path):
    done = run_demo(tmp_path, "--output", "elsewhere.png", EXAMPLE_HOST_BACKEND="cpu")
    assert done.returncode == 0, done.stderr
    assert rows(done.stdout) == HOST_ROWS
    assert (tmp_path / "elsewhere.png").exists()


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_wrong_name_gets_one_line_and_no_traceback(tmp_path, how):
    if how == "option":
        done = run_demo(tmp_path, "--backend", "cudaa")
    else:
        done = run_demo(tmp_path, EXAMPLE_HOST_BACKEND="cudaa")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "'cudaa'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_picture_that_cannot_be_written_gets_one_line(tmp_path):
    done = run_demo(tmp_path, "--backend", "cpu", "--output", "missing/picture.png")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "missing/picture.png" in done.stderr


def test_a_missing_package_gets_one_line_that_says_how_to_install_it(tmp_path):
    code = "import sys; sys.modules['sklearn'] = None; from example_host.__main__ import main; "
    done = subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(main([]))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install scikit-learn" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("result", "expected", "difference"),
    [
        ([1.0, 2.0], [1.0, 4.0], 2.0),
        ([1.0], [1.0, 2.0], np.inf),
        ({"mean": [1.0]}, {"mean": [1.5]}, 0.5),
        ({"mean": [1.0]}, {"std": [1.0]}, np.inf),
        ([1.0], {"std": [1.0]}, np.inf),
    ],
)
def test_the_largest_difference(result, expected, difference):
    assert _demo.largest_difference(result, expected) == difference


@pytest.mark.parametrize(("difference", "status"), [(0.0, 0), (1e-5, 1), (np.nan, 1)])
def test_results_too_far_from_the_host_fail_the_job(difference, status, capsys):
    run = _demo.Run("embed", "far", "call", "far", None, 0.1, difference, None)
    assert _demo.verdict([run]) == status
    assert ("embed on far" in capsys.readouterr().err) == bool(status)
