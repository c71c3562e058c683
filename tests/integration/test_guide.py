"""The guide that starts from an empty folder: every file and every command in it, as they stand.

Only the packages are not installed by pip, which would need a network. Their metadata is written as
pip would.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "start.md"
FILE = re.compile(r"```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def folder(tmp_path):
    """A folder with all files of the guide, and the packages installed beside it."""
    if not GUIDE.exists():
        pytest.skip("the documentation is not here")
    files = FILE.findall(GUIDE.read_text(encoding="utf-8"))
    assert len(files) == 6
    for name, content in files:
        path = tmp_path / "empty" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for package in ("wordstats", "wordstats-fast"):
        install(tmp_path / "empty" / package, tmp_path / "site")
    return tmp_path / "empty"


def install(source, site):
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    shutil.copytree(source / "src", site, dirs_exist_ok=True)
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)


def run(command, folder):
    command = command.replace(".venv/bin/python", sys.executable)
    command = command.replace(".venv/bin/backstack", f"{sys.executable} -m backstack")
    path = os.pathsep.join(
        filter(None, [str(folder.parent / "site"), os.environ.get("PYTHONPATH")])
    )
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_from_an_empty_folder_works(folder):
    blocks = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
    commands = [line for kind, text in blocks if kind == "sh" for line in text.splitlines()]
    assert commands[0].startswith("python3 -m venv")
    assert "pip install" in commands[1]
    outputs = [run(command, folder) for command in commands[2:]]
    (expected,) = (text for kind, text in blocks if kind == "text")
    script, plain, dispatched, doctor = outputs
    assert script == expected
    assert "2 passed" in plain
    assert "2 passed" in dispatched
    assert re.search(r"^count +\d+ +0 ", dispatched, re.MULTILINE)
    assert re.search(r"^longest +0 +1 ", dispatched, re.MULTILINE)
    assert "All is well." in doctor
