"""The pages of the documentation: each file, each command and each example in them, as they stand.

Only the packages are not installed by pip, which would need a network. Their metadata is written as
pip would.
"""

import ast
import codeop
import doctest
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import backstack

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
BLOCK = re.compile(r"^```(\S[^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLE = re.compile(r"^>>> .*\n(?:\.\.\..*\n)*", re.MULTILINE)
CAPTION = re.compile(r":caption: `(\S+)`\n\n")
# What a reader follows, not what one looks things up in.
GUIDES = {
    "backends.md",
    "command-line.md",
    "costs.md",
    "hosts.md",
    "migrating.md",
    "parallel.md",
    "start.md",
    "testing.md",
    "trust.md",
    "users.md",
}


def steps(page):
    """What the page has one do: a file with its content, a command with its output or None."""
    blocks = [(kind.split()[0], body) for kind, body in BLOCK.findall(page.read_text("utf-8"))]
    for (kind, body), (next_kind, next_body) in itertools.pairwise([*blocks, ("", "")]):
        caption = CAPTION.match(body)
        if caption:
            yield "file", caption[1], body[caption.end() :]
        elif kind == "sh" and ".venv" in body:
            yield "command", body, next_body if next_kind == "text" else None


def install(source, site, editable):
    """Do what pip does with a package that is written in Python."""
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    site.mkdir(exist_ok=True)
    for package in (source / "src").iterdir():
        if editable:
            (site / package.name).symlink_to(package)
        else:
            shutil.copytree(package, site / package.name)
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(exist_ok=True)
    lines = []
    for group, points in project.get("entry-points", {}).items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    head = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(head)


def run(command, folder, may_fail=False):
    path = os.pathsep.join(
        filter(None, [str(folder.parent / "site"), os.environ.get("PYTHONPATH")])
    )
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert may_fail or done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def follow(line, folder, may_fail):
    """Type one line of a page, and give what it prints."""
    if line.startswith("python3 -m venv .venv"):
        return ""
    if line.startswith(".venv/bin/pip install "):
        for before, word in itertools.pairwise(shlex.split(line)[1:]):
            if word.startswith("./"):
                install(folder / word, folder.parent / "site", editable=before == "-e")
        return ""
    line = line.replace(".venv/bin/python", sys.executable)
    line = line.replace(".venv/bin/backstack", f"{sys.executable} -m backstack")
    return run(line, folder, may_fail)


def told(expected, got):
    return doctest.OutputChecker().check_output(expected, got, doctest.ELLIPSIS)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_works_from_an_empty_folder(page, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    for kind, what, content in steps(DOCS / page):
        if kind == "file":
            path = folder / what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        else:
            # A page may show what a command says that ends with an error status.
            shown = content is not None
            got = "".join(follow(line, folder, may_fail=shown) for line in what.splitlines())
            assert not shown or told(content, got), f"{what}gave\n{got}\nand not\n{content}"
    run(f"{sys.executable} -W error -m doctest {shlex.quote(str(DOCS / page))}", folder)


def waits(source):
    """Whether Python, having got these lines, waits for more."""
    return codeop.compile_command(source) is None


@pytest.mark.parametrize("page", PAGES)
def test_examples_can_be_typed_as_they_stand(page):
    for prompt in EXAMPLE.findall((DOCS / page).read_text("utf-8")):
        lines = [line[4:] for line in prompt.splitlines()]
        for end in range(1, len(lines)):
            assert waits("\n".join(lines[:end])), f"Python does not wait for the rest of\n{prompt}"
        assert not waits("\n".join(lines)), f"Python waits for an empty line after\n{prompt}"


def test_every_guide_starts_from_an_empty_folder_and_ends_with_something_that_runs():
    if not DOCS.exists():
        pytest.skip("the documentation is not here")
    assert set(PAGES) >= GUIDES
    for page in GUIDES:
        done = list(steps(DOCS / page))
        commands = [what for kind, what, _ in done if kind == "command"]
        assert commands[0].startswith("python3 -m venv .venv\n.venv/bin/pip install "), page
        assert done[-1][0] == "command", page
        assert done[-1][2], f"{page} does not say what comes out at its end"


# -- what the pages say of the code -------------------------------------------------------


def floors():
    """The modules that *How it works* lists, from top to bottom and from left to right."""
    page = (DOCS / "how-it-works.md").read_text("utf-8")
    rows = [line.split("|")[2] for line in page.splitlines() if re.match(r"\| [a-z ]+ \| `", line)]
    last = re.search(r"`(_locks)`, which a fork leaves open", page)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)] + [last[1]]


def imported_when_it_runs(path):
    """The modules of the package that one imports, wherever it does, but for the sake of types."""
    waiting = [ast.parse(path.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [alias.name for alias in node.names]
        waiting += ast.iter_child_nodes(node)


@pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")
def test_modules_import_only_from_what_the_page_shows_below_them_or_to_their_right():
    listed, package = floors(), Path(backstack.__file__).parent
    modules = {path.stem: path for path in package.glob("*.py") if path.stem[:2] != "__"}
    assert sorted(listed) == sorted([*modules, "testing"])
    for name, path in modules.items():
        for other in imported_when_it_runs(path):
            if other in modules:
                assert listed.index(other) > listed.index(name), f"{name} imports {other}"


@pytest.mark.skipif(not DOCS.exists(), reason="the documentation is not here")
def test_every_error_is_told_to_users_and_every_public_name_is_in_the_reference():
    users, api = ((DOCS / name).read_text("utf-8") for name in ("users.md", "api.md"))
    assert [name for name in backstack.errors.__all__ if not re.search(rf"\b{name}\b", users)] == []
    assert [name for name in backstack.__all__ if not re.search(rf"\b{name}\b", api)] == []
