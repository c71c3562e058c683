"""The JAX functions compared with plain NumPy, and the adapter's laziness."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp
from my_backend import functions, neighbors
from my_backend._backends import example_host as adapter

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(60, 4))


def nearest_others(data, n_neighbors):
    distances = np.linalg.norm(data[:, np.newaxis] - data, axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :n_neighbors]


@pytest.mark.parametrize("n_neighbors", [1, 5, 59])
@pytest.mark.parametrize("batch_size", [1, 7, 60, 1000])
def test_scores_are_mean_distances_for_any_batch_size(n_neighbors, batch_size):
    scores = functions.compute_score(DATA, n_neighbors, batch_size=batch_size)
    np.testing.assert_allclose(scores, nearest_others(DATA, n_neighbors).mean(axis=1), rtol=1e-12)


def test_scores_of_squared_distances():
    scores = functions.compute_score(DATA, metric="sqeuclidean")
    np.testing.assert_allclose(scores, (nearest_others(DATA, 5) ** 2).mean(axis=1), rtol=1e-12)


def test_scores_are_accurate_for_duplicates_and_far_from_the_origin():
    twins = np.repeat(DATA, 2, axis=0)
    assert functions.compute_score(twins, 1).tolist() == [0.0] * len(twins)
    far = functions.compute_score(DATA + 1e8)
    np.testing.assert_allclose(far, functions.compute_score(DATA), atol=1e-6)


@pytest.mark.parametrize("center", [True, False])
def test_embedding_keeps_the_geometry(center):
    embedding = functions.embed(DATA, 4, center=center)
    centered = DATA - DATA.mean(axis=0) * center
    np.testing.assert_allclose(embedding @ embedding.T, centered @ centered.T, atol=1e-12)
    assert (np.diff((embedding**2).sum(axis=0)) < 0).all()


@pytest.mark.parametrize("noise", [0.0, 1e-12, -1e-12])
def test_rounding_does_not_decide_the_sign_of_equal_weights(noise):
    slope = np.array([[1.0, -1.0], [2.0, -2.0], [-3.0, 3.0]])
    embedding = functions.embed(slope * [1, 1 + noise], 1)
    np.testing.assert_allclose(embedding[:, 0], np.sqrt(2) * slope[:, 0], atol=1e-9)


@pytest.mark.parametrize("ddof", [0, 1])
def test_summary_describes_each_column(ddof):
    summary = functions.summarize(DATA, ddof=ddof)
    assert set(summary) == {"mean", "std", "min", "max"}
    np.testing.assert_allclose(summary["mean"], DATA.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary["std"], DATA.std(axis=0, ddof=ddof), rtol=1e-12)
    np.testing.assert_array_equal(summary["min"], DATA.min(axis=0))
    np.testing.assert_array_equal(summary["max"], DATA.max(axis=0))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
def test_results_are_numpy_arrays_of_the_precision_asked_for(dtype, tolerance):
    scores = functions.compute_score(DATA, dtype=dtype)
    embedding = functions.embed(DATA, dtype=dtype)
    mean = functions.summarize(DATA, dtype=dtype)["mean"]
    for result in (scores, embedding, mean):
        assert isinstance(result, np.ndarray)
        assert result.dtype == dtype
    np.testing.assert_allclose(scores, functions.compute_score(DATA), rtol=tolerance)
    np.testing.assert_allclose(embedding, functions.embed(DATA), atol=tolerance)


def all_distances(queries, points):
    return np.linalg.norm(queries[:, np.newaxis] - points, axis=2)


@pytest.mark.parametrize("block_size", [1, 7, 1000])
def test_neighborhood_finds_the_nearest_rows(block_size):
    queries = RNG.normal(size=(9, 4))
    neighborhood = neighbors.Neighborhood(3, block_size=block_size).fit(DATA)
    distances, indices = neighborhood.kneighbors(queries)
    expected = all_distances(queries, DATA)
    np.testing.assert_array_equal(indices, np.argsort(expected, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :3], rtol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_neighborhood_of_its_own_rows_leaves_each_one_out(dtype, tolerance):
    distances, indices = neighbors.Neighborhood(59, dtype=dtype).fit(DATA).kneighbors()
    assert distances.dtype == dtype
    assert not (indices == np.arange(len(DATA))[:, np.newaxis]).any()
    np.testing.assert_allclose(distances, nearest_others(DATA, 59), rtol=tolerance)


def test_neighborhood_is_accurate_for_duplicates_and_far_from_the_origin():
    twins = np.repeat(DATA, 2, axis=0) + 1e8
    distances, indices = neighbors.Neighborhood(1).fit(twins).kneighbors()
    assert distances.tolist() == [[0.0]] * len(twins)
    assert (indices[:, 0] == np.arange(len(twins)) ^ 1).all()


def test_configuration_of_jax_stays_as_it_was():
    before = jax.config.jax_enable_x64
    functions.compute_score(DATA)
    assert jax.config.jax_enable_x64 == before
    assert jnp.ones(1).dtype == ("float64" if before else "float32")


def test_arrays_of_jax_are_accepted():
    np.testing.assert_allclose(functions.embed(jnp.asarray(DATA)), functions.embed(DATA), atol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: functions.compute_score([1.0]), "rows and columns"),
        (lambda: functions.compute_score([[1.0], [np.inf]], 1), "finite"),
        (lambda: functions.compute_score(DATA, 60), "n_neighbors must be from 1 to 59"),
        (lambda: functions.compute_score(DATA, batch_size=0), "batch_size"),
        (lambda: functions.compute_score(DATA, metric="taxi"), "metric"),
        (lambda: functions.compute_score(DATA, dtype="int32"), "dtype"),
        (lambda: functions.embed(DATA, 5), "n_components must be from 1 to 4"),
        (lambda: functions.summarize([[1.0]], ddof=1), "ddof"),
        (lambda: neighbors.Neighborhood().fit([1.0]), "rows and columns"),
        (lambda: neighbors.Neighborhood(60).fit(DATA).kneighbors(), "from 1 to 59"),
        (lambda: neighbors.Neighborhood(61).fit(DATA).kneighbors(DATA), "from 1 to 60"),
        (lambda: neighbors.Neighborhood(block_size=0).fit(DATA).kneighbors(), "block_size"),
        (lambda: neighbors.Neighborhood(dtype="int32").fit(DATA).kneighbors(), "dtype"),
    ],
)
def test_what_means_nothing_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_adapter_has_what_it_lists():
    assert adapter.is_available() is True
    assert adapter.compute_score is functions.compute_score
    assert adapter.Neighborhood is neighbors.Neighborhood
    assert all(hasattr(adapter, name) for name in adapter.__all__)
    assert not hasattr(adapter, "no_such_function")


def test_importing_the_adapter_imports_neither_jax_nor_backstack():
    code = (
        "import sys; from my_backend._backends import example_host as adapter\n"
        "assert adapter.is_available() is True\n"
        "assert not {'jax', 'numpy', 'backstack', 'example_host'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_adapter_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(adapter, "find_spec", {}.get)
    assert "pip install jax" in adapter.is_available()
