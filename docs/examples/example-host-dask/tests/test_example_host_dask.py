"""The Dask functions compared with plain NumPy, and which cluster they run on."""

import multiprocessing
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

pytest.importorskip("distributed")

import dask
import dask.array as da
from distributed import Client, LocalCluster
from example_host_dask import _clients, adapter, functions

# Dask says so, harmlessly, on a machine without a network.
pytestmark = pytest.mark.filterwarnings("ignore:Couldn't detect a suitable IP:RuntimeWarning")

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(60, 4))


def nearest_others(data, n_neighbors):
    distances = np.linalg.norm(data[:, np.newaxis] - data, axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :n_neighbors]


@pytest.fixture(scope="module")
def cluster():
    """A cluster on loopback, of threads, as one that a user started elsewhere."""
    with LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
    ) as cluster:
        yield cluster


@pytest.fixture
def opened(monkeypatch):
    """The clients and clusters that calls open, to see that they are closed."""
    made = []

    def recorded(kind):
        def make(*args, **kwargs):
            one = kind(*args, **kwargs)
            made.append((one, args))
            return one

        return make

    make_client = recorded(Client)
    make_client.current = Client.current
    monkeypatch.setattr(_clients, "Client", make_client)
    monkeypatch.setattr(_clients, "LocalCluster", recorded(LocalCluster))
    return made


def statuses(opened):
    return [getattr(each.status, "name", each.status) for each, _ in opened]


def addresses(opened):
    return [address for _, (address,) in opened]


@pytest.mark.parametrize("n_neighbors", [1, 5, 59])
@pytest.mark.parametrize("chunk_rows", [7, 60, 1000])
def test_scores_are_mean_distances_for_any_chunks(cluster, n_neighbors, chunk_rows):
    with Client(cluster):
        scores = functions.compute_score(DATA, n_neighbors, chunk_rows=chunk_rows)
    np.testing.assert_allclose(scores, nearest_others(DATA, n_neighbors).mean(axis=1), rtol=1e-12)


def test_scores_are_accurate_for_duplicates_and_far_from_the_origin(cluster):
    twins = np.repeat(DATA, 2, axis=0)
    with Client(cluster):
        assert functions.compute_score(twins, 1, chunk_rows=7).tolist() == [0.0] * len(twins)
        far = functions.compute_score(DATA + 1e8, chunk_rows=7)
    np.testing.assert_allclose(far, nearest_others(DATA, 5).mean(axis=1), atol=1e-6)


def test_scores_of_squared_distances(cluster):
    scores = functions.compute_score(
        DATA, metric="sqeuclidean", scheduler=cluster.scheduler_address
    )
    np.testing.assert_allclose(scores, (nearest_others(DATA, 5) ** 2).mean(axis=1), rtol=1e-12)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("chunk_rows", [7, 1000])
def test_summary_describes_each_column(cluster, ddof, chunk_rows):
    with Client(cluster):
        summary = functions.summarize(DATA, ddof=ddof, chunk_rows=chunk_rows)
    assert set(summary) == {"mean", "std", "min", "max"}
    np.testing.assert_allclose(summary["mean"], DATA.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary["std"], DATA.std(axis=0, ddof=ddof), rtol=1e-12)
    np.testing.assert_array_equal(summary["min"], DATA.min(axis=0))
    np.testing.assert_array_equal(summary["max"], DATA.max(axis=0))


def test_dask_arrays_are_accepted_however_they_are_chunked(cluster):
    array = da.from_array(DATA.astype(np.float32), chunks=(11, 3))
    with Client(cluster):
        scores = functions.compute_score(array, chunk_rows=25)
        summary = functions.summarize(array)
    np.testing.assert_allclose(scores, nearest_others(DATA, 5).mean(axis=1), rtol=1e-5)
    assert isinstance(scores, np.ndarray)
    assert isinstance(summary["mean"], np.ndarray)


def test_a_cluster_made_for_the_call_is_closed_again(opened):
    functions.summarize(DATA)
    assert statuses(opened) == ["closed", "closed"]
    with pytest.raises(ValueError, match="No clients"):
        Client.current()


def test_a_cluster_made_for_a_call_that_fails_is_closed_too(opened):
    with pytest.raises(ValueError, match="finite"):
        functions.summarize([[1.0], [np.nan]])
    assert statuses(opened) == ["closed", "closed"]


def test_calls_that_overlap_share_a_cluster_and_the_last_closes_it(opened):
    together = Barrier(4)

    def summarize(shift):
        together.wait()
        return functions.summarize(DATA + shift)["mean"]

    with ThreadPoolExecutor(4) as pool:
        means = list(pool.map(summarize, range(4)))
    np.testing.assert_allclose(means, [DATA.mean(axis=0) + shift for shift in range(4)])
    assert set(statuses(opened)) == {"closed"}


def test_an_address_gets_a_client_of_its_own_that_is_closed_again(cluster, opened):
    functions.summarize(DATA, scheduler=cluster.scheduler_address)
    assert addresses(opened) == [cluster.scheduler_address]
    assert statuses(opened) == ["closed"]
    assert cluster.status.name == "running"


def test_an_address_in_the_configuration_is_used(cluster, opened):
    with dask.config.set({"scheduler-address": cluster.scheduler_address}):
        functions.summarize(DATA)
    assert addresses(opened) == [cluster.scheduler_address]
    assert statuses(opened) == ["closed"]


def test_the_client_in_use_is_used_and_left_open(cluster, opened):
    with Client(cluster) as client:
        functions.summarize(DATA)
        assert opened == []
        assert client.status == "running"


def test_tasks_of_a_cluster_use_that_one():
    def task(data):
        before = set(multiprocessing.active_children())
        scores = functions.compute_score(data, 2, chunk_rows=20)
        return scores, _clients._embedded._cluster, set(multiprocessing.active_children()) - before

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
    ):
        data = [DATA, DATA[1:], DATA[2:]]
        for given, (scores, embedded, children) in zip(
            data, client.gather(client.map(task, data, pure=False)), strict=True
        ):
            expected = nearest_others(given, 2).mean(axis=1)
            np.testing.assert_allclose(scores, expected, rtol=1e-12)
            assert (embedded, children) == (None, set())


def test_an_address_goes_before_the_client_in_use(cluster, opened):
    with Client(cluster):
        functions.summarize(DATA, scheduler=cluster.scheduler_address)
        assert len(opened) == 1


def test_a_scheduler_that_is_not_there_leaves_nothing_behind(opened):
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "100ms"}),
        pytest.raises(OSError, match="Timed out"),
    ):
        functions.summarize(DATA, scheduler="tcp://127.0.0.1:1")
    assert opened == []
    with pytest.raises(ValueError, match="No clients"):
        Client.current()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: functions.compute_score([1.0]), "rows and columns"),
        (lambda: functions.compute_score(DATA, 60), "n_neighbors must be from 1 to 59"),
        (lambda: functions.compute_score(DATA, chunk_rows=0), "chunk_rows"),
        (lambda: functions.compute_score(DATA, metric="taxi"), "metric"),
        (lambda: functions.summarize([[1.0]], ddof=1), "ddof"),
        (lambda: functions.summarize(da.ones((4, 2))[da.ones(4) > 0]), "unknown size"),
    ],
)
def test_what_means_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_adapter_has_what_it_lists():
    assert adapter.is_available() is True
    assert adapter.compute_score is functions.compute_score
    assert all(hasattr(adapter, name) for name in adapter.__all__)
    assert not hasattr(adapter, "embed")


def test_importing_the_adapter_imports_neither_dask_nor_backstack():
    code = (
        "import sys; from example_host_dask import adapter\n"
        "assert adapter.is_available() is True\n"
        "heavy = {'dask', 'distributed', 'numpy', 'backstack', 'example_host'}\n"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_adapter_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(adapter, "find_spec", {}.get)
    assert "pip install" in adapter.is_available()
