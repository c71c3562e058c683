"""The example distributions, really installed: one host, two backends, chosen in every way."""

import copy
import inspect
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import backstack

eh = pytest.importorskip("example_host")
pytest.importorskip("my_backend")
pytest.importorskip("example_host_dask")

DATA = np.random.default_rng(0).normal(size=(60, 4))
# Without a network, distributed cannot tell the machine's own address.
offline = pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP")


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    eh.settings.process_backend = None
    eh.settings.on_missing = "warn"


def fresh(script, **env):
    """What a script prints in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ran_on(calls):
    return [(call.function, call.ran_on, call.chosen_by) for call in calls]


def test_a_call_a_block_and_the_setting_choose():
    expected = eh.compute_score(DATA, backend="cpu")
    with eh.trace() as calls:
        results = [eh.compute_score(DATA, backend="jax")]
        with eh.backend("mine"):
            results.append(eh.compute_score(DATA))
        eh.settings.backend = "my_backend"
        results.append(eh.compute_score(DATA))
    assert ran_on(calls) == [
        ("compute_score", "my_backend", "call"),
        ("compute_score", "my_backend", "scope"),
        ("compute_score", "my_backend", "setting"),
    ]
    for result in results:
        np.testing.assert_allclose(result, expected, atol=1e-9)


def test_the_variable_chooses():
    script = "import example_host as eh; print(eh.settings.backend)"
    assert fresh(script, EXAMPLE_HOST_BACKEND="jax") == "my_backend\n"
    assert fresh(script, EXAMPLE_HOST_BACKEND="dask, jax") == "('dask', 'my_backend')\n"
    assert fresh(script, EXAMPLE_HOST_BACKEND="") == "cpu\n"


def test_nothing_heavy_is_imported_before_it_is_needed():
    script = """
import sys, example_host as eh
print(eh.backends()[0].name, eh.settings.available_backends())
print(sorted({"jax", "dask", "my_backend", "example_host_dask"} & set(sys.modules)))
with eh.backend("jax"):
    print(sorted({"jax", "dask", "my_backend", "example_host_dask"} & set(sys.modules)))
    eh.summarize([[1.0, 2.0], [3.0, 4.0]])
print(sorted({"jax", "dask", "my_backend", "example_host_dask"} & set(sys.modules)))
try:
    eh.embed([[1.0]], backend="jaxx")
except ValueError as error:
    print(error)
"""
    lines = fresh(script).splitlines()
    assert lines[0] == "dask ['dask', 'my_backend']"
    assert lines[1] == "[]"
    assert lines[2] == "['my_backend']"
    assert lines[3] == "['jax', 'my_backend']"
    assert "Did you mean 'jax'?" in lines[4]


def test_what_dask_lacks_falls_back_with_one_warning():
    script = """
import warnings, example_host as eh
with warnings.catch_warnings(record=True) as caught, eh.backend("dask"):
    warnings.simplefilter("always")
    for _ in range(2):
        eh.embed([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]])
print([(type(warning.message).__name__, warning.lineno) for warning in caught])
"""
    assert fresh(script) == "[('FallbackWarning', 6)]\n"


@offline
def test_the_policy_for_what_dask_lacks():
    with eh.backend("dask", on_missing="error"), pytest.raises(NotImplementedError, match="embed"):
        eh.embed(DATA)
    with eh.backend("dask", on_missing="host"), eh.trace() as calls:
        eh.embed(DATA)
    assert (calls[0].ran_on, calls[0].chosen) == ("cpu", "dask")
    with eh.backend("dask", "jax"), eh.trace() as calls:
        eh.embed(DATA)
        eh.summarize(DATA)
    assert [call.ran_on for call in calls] == ["my_backend", "dask"]


def test_arguments_reach_jax_by_name():
    with eh.backend("jax"):
        expected = eh.compute_score(DATA, 3)
        np.testing.assert_allclose(eh.compute_score(DATA, n_neighbors=3, batch_size=7), expected)
        line = inspect.currentframe().f_lineno + 2
        with pytest.warns(backstack.DroppedArgumentWarning, match="'block_size'") as caught:
            eh.compute_score(DATA, 3, block_size=16)
        assert (caught[0].filename, caught[0].lineno) == (__file__, line)
        with pytest.raises(TypeError, match=r"batch_sice.*Did you mean 'batch_size'"):
            eh.compute_score(DATA, batch_sice=7)
    with pytest.raises(TypeError, match=r"option of the installed backend 'my_backend'"):
        eh.compute_score(DATA, batch_size=7)


def test_a_whole_class_is_replaced():
    from my_backend import neighbors

    expected, _ = eh.Neighborhood(3).fit(DATA).kneighbors()
    with eh.trace() as calls:
        made = [eh.Neighborhood(3, backend="jax")]
        with eh.backend("mine"):
            made.append(eh.Neighborhood(3, block_size=16))
            host = eh.Neighborhood(3, backend="cpu")
    assert [type(each) for each in made] == [neighbors.Neighborhood] * 2
    assert type(host) is eh.Neighborhood
    assert [call.ran_on for call in calls] == ["my_backend", "my_backend", "cpu"]
    for each in (*made, host):
        np.testing.assert_allclose(each.fit(DATA).kneighbors()[0], expected, atol=1e-9)
    with eh.backend("dask"), pytest.warns(backstack.FallbackWarning, match=r"Neighborhood\(\)"):
        assert type(eh.Neighborhood()) is eh.Neighborhood
    eh._backends.dispatcher.reset_warnings()
    with eh.backend("mine"):  # made on the host, and neither pickling nor copying changes that
        for again in (copy.deepcopy(host), pickle.loads(pickle.dumps(host))):
            assert type(again) is eh.Neighborhood
            np.testing.assert_array_equal(again._points, host._points)


def test_merged_signatures_and_docstrings_show_the_options():
    eh.summarize(DATA, backend="jax")
    parameters = inspect.signature(eh.summarize).parameters
    assert list(parameters)[-1] == "backend"
    assert parameters["dtype"].kind is inspect.Parameter.KEYWORD_ONLY
    assert "dtype (my_backend)" in eh.summarize.__doc__


def test_records_tell_where_the_backends_come_from():
    records = {record.name: record for record in eh.backends()}
    assert records["my_backend"].distribution == "my-backend"
    assert records["my_backend"].functions == (
        *("Neighborhood", "compute_score", "embed", "summarize"),
    )
    assert set(records["my_backend"].aliases) == {"mine", "jax"}
    assert records["dask"].functions == ("compute_score", "summarize")
    assert all(record.trusted for record in records.values())


def test_a_reserved_name_is_refused_with_the_hosts_reason():
    with pytest.raises(backstack.ReservedBackendError, match="reserved by example_host"):
        eh.embed(DATA, backend="gpu")


CLUSTER = """
import warnings
warnings.filterwarnings("ignore", "Couldn't detect a suitable IP")
import example_host as eh
import numpy as np
from distributed import Client, LocalCluster

def where(x):
    with eh.trace() as calls:
        eh.summarize([[x, 1.0], [2.0, 3.0]])
    return calls[0].ran_on

if __name__ == "__main__":
    data = np.random.default_rng(0).normal(size=(300, 4))
    expected = eh.compute_score(data, backend="cpu")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, protocol="tcp", host="127.0.0.1",
        dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0",
    ) as cluster, Client(cluster) as client:
        before = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
        with eh.backend("dask"):
            scores = eh.compute_score(data, chunk_rows=50)
            summary = eh.summarize(data)
        after = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)
        np.testing.assert_allclose(scores, expected, atol=1e-9)
        np.testing.assert_allclose(summary["mean"], data.mean(axis=0), atol=1e-9)
        print(len(client.scheduler_info()["workers"]), after > before)
        with eh.backend("jax"):
            bound = eh.bind(where)
            loose = client.map(where, range(4), pure=False)
            print(client.gather(loose), client.gather(client.map(bound, range(4), pure=False)))
"""


@offline
def test_a_cluster_of_two_worker_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(CLUSTER)
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 True", f"{['cpu'] * 4} {['my_backend'] * 4}"]
