"""The numerics, on the host or on whatever backend is in force."""

import doctest
import importlib
import subprocess
import sys

import example_host as eh
import numpy as np
import pytest

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(60, 4))


def all_distances(queries, points):
    return np.linalg.norm(queries[:, np.newaxis] - points, axis=2)


def nearest_others(data, n_neighbors):
    distances = all_distances(data, data)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, :n_neighbors]


@pytest.mark.parametrize("n_neighbors", [1, 5, 59])
@pytest.mark.parametrize("block_size", [1, 7, 60, 1000])
def test_scores_are_mean_distances_for_any_block_size(n_neighbors, block_size):
    scores = eh.compute_score(DATA, n_neighbors, block_size=block_size)
    np.testing.assert_allclose(scores, nearest_others(DATA, n_neighbors).mean(axis=1), rtol=1e-12)


def test_scores_of_squared_distances():
    scores = eh.compute_score(DATA, metric="sqeuclidean")
    np.testing.assert_allclose(scores, (nearest_others(DATA, 5) ** 2).mean(axis=1), rtol=1e-12)


def test_scores_are_accurate_for_duplicates_and_far_from_the_origin():
    twins = np.repeat(DATA, 2, axis=0)
    assert eh.compute_score(twins, 1).tolist() == [0.0] * len(twins)
    far = eh.compute_score(DATA + 1e8)
    np.testing.assert_allclose(far, eh.compute_score(DATA), atol=1e-6)


def test_memory_of_scores_is_bounded_by_the_block_size():
    tracemalloc = importlib.import_module("tracemalloc")
    data = RNG.normal(size=(4000, 2))  # all distances at once would take 128 MB
    tracemalloc.start()
    try:
        eh.compute_score(data, block_size=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0],), "rows and columns"),
        ((np.empty((0, 3)),), "rows and columns"),
        (([[1.0], [np.nan]], 1), "finite"),
        (([[1.0], [2.0]], 2), "n_neighbors must be from 1 to 1"),
        (([[1.0], [2.0]], 0), "n_neighbors must be from 1 to 1"),
    ],
)
def test_data_that_cannot_be_scored_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        eh.compute_score(*arguments)


@pytest.mark.parametrize(
    ("options", "message"), [({"metric": "taxi"}, "metric"), ({"block_size": 0}, "block_size")]
)
def test_options_that_mean_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        eh.compute_score(DATA, **options)


def test_embedding_keeps_the_geometry_and_orders_by_variance():
    embedding = eh.embed(DATA, 4)
    np.testing.assert_allclose(
        all_distances(embedding, embedding), all_distances(DATA, DATA), atol=1e-12
    )
    np.testing.assert_allclose(embedding.mean(axis=0), 0, atol=1e-12)
    assert (np.diff(embedding.var(axis=0)) < 0).all()


def test_embedding_without_centring_keeps_the_mean():
    shifted = DATA + 10
    embedding = eh.embed(shifted, 4, center=False)
    np.testing.assert_allclose(embedding @ embedding.T, shifted @ shifted.T, rtol=1e-10)


def test_signs_of_an_embedding_do_not_depend_on_the_order_of_the_rows():
    shuffled = RNG.permutation(len(DATA))
    expected = eh.embed(DATA, 3)[shuffled]
    np.testing.assert_allclose(eh.embed(DATA[shuffled], 3), expected, atol=1e-12)


@pytest.mark.parametrize("noise", [0.0, 1e-12, -1e-12])
def test_rounding_does_not_decide_the_sign_of_equal_weights(noise):
    slope = np.array([[1.0, -1.0], [2.0, -2.0], [-3.0, 3.0]])
    embedding = eh.embed(slope * [1, 1 + noise], 1)
    np.testing.assert_allclose(embedding[:, 0], np.sqrt(2) * slope[:, 0], atol=1e-9)


def test_embedding_has_no_more_components_than_the_data():
    with pytest.raises(ValueError, match="n_components must be from 1 to 4"):
        eh.embed(DATA, 5)


@pytest.mark.parametrize("ddof", [0, 1])
def test_summary_describes_each_column(ddof):
    summary = eh.summarize(DATA, ddof=ddof)
    assert list(summary) == ["mean", "std", "min", "max"]
    np.testing.assert_allclose(summary["mean"], DATA.sum(axis=0) / 60)
    squares = ((DATA - summary["mean"]) ** 2).sum(axis=0)
    np.testing.assert_allclose(summary["std"], np.sqrt(squares / (60 - ddof)))
    np.testing.assert_array_equal(summary["min"], np.sort(DATA, axis=0)[0])
    np.testing.assert_array_equal(summary["max"], np.sort(DATA, axis=0)[-1])


def test_summary_needs_more_rows_than_ddof():
    with pytest.raises(ValueError, match="ddof"):
        eh.summarize([[1.0]], ddof=1)


def test_neighborhood_finds_the_nearest_rows():
    queries = RNG.normal(size=(9, 4))
    distances, indices = eh.Neighborhood(3, block_size=4).fit(DATA).kneighbors(queries)
    expected = all_distances(queries, DATA)
    np.testing.assert_array_equal(indices, np.argsort(expected, axis=1)[:, :3])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :3], rtol=1e-12)


def test_neighborhood_of_its_own_rows_leaves_each_one_out():
    distances, indices = eh.Neighborhood(3).fit(DATA).kneighbors()
    assert not (indices == np.arange(len(DATA))[:, np.newaxis]).any()
    np.testing.assert_allclose(distances, nearest_others(DATA, 3), rtol=1e-12)


def test_examples_in_docstrings_are_true():
    for module in ("functions", "neighbors"):
        results = doctest.testmod(importlib.import_module(f"example_host.{module}"))
        assert results.attempted > 0
        assert results.failed == 0


def test_importing_the_host_imports_no_backend_and_nothing_of_the_demo():
    heavy = "{'jax', 'dask', 'distributed', 'sklearn', 'matplotlib'}"
    code = f"import sys, example_host; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
