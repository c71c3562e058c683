"""Names of backends are completed in a real IPython shell and in a real kernel."""

import json
from queue import Empty

import pytest

SHELL = """
import json, sys
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from types import ModuleType
from backstack import BackendDispatcher

shell = InteractiveShell.instance()
shell.run_cell("%load_ext backstack")
shell.run_cell("%load_ext backstack")  # once more changes nothing
dispatcher = BackendDispatcher(entrypoint_group="host.backends", host_name="host")
other = BackendDispatcher(entrypoint_group="other.backends", host_name="other")

@dispatcher.backend_dispatch
def f(data, how="backend"):
    return data

@dispatcher.backend_dispatch(keyword="run_on")
def g(data, backend=None):
    return data

@dispatcher.backend_class
class Model:
    pass

class Trap:
    @property
    def backend(self):
        raise AssertionError("run")
    __getattr__ = backend

host = ModuleType("host")
host.backend, host.settings, host.f, host.g, host.Model = (
    dispatcher.backend, dispatcher.settings, f, g, Model
)
shell.user_ns.update(host=host, f=f, Trap=Trap, trap=Trap(), other=other, d=dispatcher)
found = {}
for text in json.loads(sys.argv[1]):
    with provisionalcompleter():
        found[text] = [c.text for c in shell.Completer.completions(text, len(text))
                       if c.type == "backend"]
shell.run_cell("%unload_ext backstack")
with provisionalcompleter():
    gone = [c.text for c in shell.Completer.completions('d.backend("', 11) if c.type == "backend"]
loaded = [name for name in sys.modules if name.endswith("_adapter")]
print(json.dumps([found, gone, loaded]))
"""

ALL = ["cpu", "dask", "jax", "jaxed"]
COMPLETED = {
    'host.backend("': ALL,
    "with host.backend('j": ["jax", "jaxed"],
    'host.backend("jax", "d': ["dask"],
    'x = [host.f(1, backend="': ALL,
    'host.f(host.f(1), [2, (3,)], backend="jaxe': ["jaxed"],
    'host.f(1, backend="jax") + f(2, backend="': ALL,
    'host.g(1, run_on="': ALL,
    'host.Model(backend="': ALL,
    'host.settings.backend = "c': ["cpu"],
    'host.settings.backend = ["jax", "': ALL,
    'host.settings.process_backend = "': ALL,
    'host.settings.use_backend("': ALL,
    'd.verify("': ALL,
    'd.get_backend("jax': ["jax", "jaxed"],
    'host.f(1,\n       backend="': ALL,
    'other.backend("': ["cpu"],
}
LEFT_ALONE = [
    'print("',
    'x = "',
    'host.f("',
    'host.f(1, how="',
    'host.g(1, backend="',
    'dict(backend="',
    'host.backend("jax")("',
    'trap.backend("',
    'trap.settings.backend = "',
    'host.nothing("',
    'nothing.backend("',
    '"host.backend(\\"',
    'host.backend("jax"',
    "# host.backend('",
]


@pytest.fixture
def completed(run_python, site, tmp_path):
    pytest.importorskip("IPython")
    site.adapter("jax", "name = 'jax'\naliases = ['jaxed']\n")
    site.adapter("dask", "name = 'dask'\n")

    def complete(*texts):
        script = SHELL.replace("sys.argv[1]", repr(json.dumps(texts)))
        env = {"IPYTHONDIR": str(tmp_path / "ipython")}
        return json.loads(run_python(script, path=site.folder, env=env).splitlines()[-1])

    return complete


def test_names_of_backends_are_completed_and_none_is_imported(completed):
    found, gone, loaded = completed(*COMPLETED)
    assert found == COMPLETED
    assert gone == []
    assert loaded == []


def test_whatever_is_no_name_of_a_backend_is_left_alone(completed):
    found, _, _ = completed(*LEFT_ALONE)
    assert found == {text: [] for text in LEFT_ALONE}


def test_a_notebook_completes_them(site, tmp_path, monkeypatch):
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    site.adapter("jax", "name = 'jax'\n")
    monkeypatch.setenv("PYTHONPATH", str(site.folder), prepend=":")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive(
            "%load_ext backstack\n"
            "from backstack import BackendDispatcher\n"
            "d = BackendDispatcher(entrypoint_group='host.backends', host_name='host')",
            timeout=60,
            store_history=False,
        )
        text = 'with d.backend("j'
        asked = client.complete(text, len(text))
        while True:
            try:
                reply = client.get_shell_msg(timeout=60)
            except Empty:
                pytest.fail("the kernel does not answer")
            if reply["parent_header"].get("msg_id") == asked:
                break
        content = reply["content"]
        assert content["matches"] == ["jax"]
        assert text[content["cursor_start"] : content["cursor_end"]] == "j"
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
