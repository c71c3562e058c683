"""Functions of example_host as Dask arrays: cut into chunks of rows, computed on a cluster."""

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
from dask.base import compute
from distributed import Client

from example_host_dask._clients import connected

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

POWERS = {"euclidean": 1, "sqeuclidean": 2}


def compute_score(
    data: Any,
    n_neighbors: int = 5,
    *,
    metric: str = "euclidean",
    chunk_rows: int = 1000,
    scheduler: str | None = None,
) -> Floats:
    """Score each row by how far its nearest neighbours are.

    Parameters
    ----------
    data : array_like or dask.array.Array, shape (n_rows, n_columns)
        The rows to score; finite.
    n_neighbors : int, default: 5
        How many of the other rows count, the nearest ones.
    metric : {'euclidean', 'sqeuclidean'}, default: 'euclidean'
        Whether distances are averaged, or their squares.
    chunk_rows : int, default: 1000
        How many rows make a chunk. A task compares two chunks, and needs memory for
        ``chunk_rows ** 2`` distances.
    scheduler : str, optional
        Address of the Dask scheduler to use, such as ``"tcp://127.0.0.1:8786"``. Without it,
        the client in use, else the address in Dask's configuration, else threads of this
        process.

    Returns
    -------
    ndarray, shape (n_rows,)
        The mean distance from each row to its nearest neighbours.
    """
    matrix = _as_matrix(data)
    _check_between("n_neighbors", n_neighbors, 1, len(matrix) - 1)
    if metric not in POWERS:
        raise ValueError(f"metric must be one of {', '.join(POWERS)}, not {metric!r}")
    with connected(scheduler) as client:
        rows = _chunked(matrix, chunk_rows, client)
        # Every chunk meets every other one: read and centred once, they stay on the workers.
        points = client.persist(rows - rows.mean(axis=0))
        scores = _scores(points, n_neighbors, POWERS[metric])
        return np.asarray(scores.compute(scheduler=client))


def summarize(
    data: Any, *, ddof: int = 0, chunk_rows: int = 1000, scheduler: str | None = None
) -> dict[str, Floats]:
    """Describe each column by a few numbers.

    Parameters
    ----------
    data : array_like or dask.array.Array, shape (n_rows, n_columns)
        The columns to describe; finite.
    ddof : int, default: 0
        What is taken off the number of rows in the divisor of the standard deviation.
    chunk_rows : int, default: 1000
        How many rows make a chunk, which is what one task looks at.
    scheduler : str, optional
        Address of the Dask scheduler to use, such as ``"tcp://127.0.0.1:8786"``. Without it,
        the client in use, else the address in Dask's configuration, else threads of this
        process.

    Returns
    -------
    dict of str to ndarray, shape (n_columns,)
        Under ``"mean"``, ``"std"``, ``"min"`` and ``"max"``, one number for each column.
    """
    matrix = _as_matrix(data)
    _check_between("ddof", ddof, 0, len(matrix) - 1)
    with connected(scheduler) as client:
        rows = _chunked(matrix, chunk_rows, client)
        statistics = {
            "mean": rows.mean(axis=0),
            "std": rows.std(axis=0, ddof=ddof),
            "min": rows.min(axis=0),
            "max": rows.max(axis=0),
        }
        (summary,) = compute(statistics, scheduler=client)
        return dict(summary)


def _chunked(matrix: Floats | da.Array, chunk_rows: int, client: Client) -> da.Array:
    """Return a Dask array whose chunks are whole rows, `chunk_rows` of them each."""
    _check_between("chunk_rows", chunk_rows, 1, max(chunk_rows, len(matrix)))
    rows = matrix if isinstance(matrix, da.Array) else _sent(matrix, chunk_rows, client)
    rows = rows.rechunk({0: chunk_rows, 1: -1})
    checked: da.Array = rows.map_blocks(_finite, meta=np.empty((0, 0)))
    return checked


def _sent(matrix: Floats, chunk_rows: int, client: Client) -> da.Array:
    """Give a matrix of ours to the workers, chunk by chunk.

    `da.from_array` would put it into the graph, which passes through the scheduler.
    """
    chunks = [matrix[start : start + chunk_rows] for start in range(0, len(matrix), chunk_rows)]
    futures = client.scatter(chunks, hash=False)
    rows: da.Array = da.concatenate(
        [
            da.from_delayed(future, chunk.shape, matrix.dtype)
            for future, chunk in zip(futures, chunks, strict=True)
        ]
    )
    return rows


def _scores(points: da.Array, n_neighbors: int, power: int) -> da.Array:
    """Mean distances, from the nearest neighbours that each pair of chunks offers."""
    numbers = da.arange(len(points), chunks=points.chunks[0])
    offers = da.blockwise(
        *(_nearest_in_chunk, "ij", points, "ip", numbers, "i", points, "jp", numbers, "j"),
        n_neighbors=n_neighbors,
        adjust_chunks={"j": n_neighbors},
        concatenate=True,
        align_arrays=False,  # they are aligned; Dask would warn that pairs outnumber chunks
        meta=np.empty((0, 0)),
    ).rechunk({1: -1})
    scores: da.Array = offers.map_blocks(
        _mean_of_nearest, n_neighbors, power, drop_axis=1, meta=np.empty(0)
    )
    return scores


def _nearest_in_chunk(
    rows: Floats, row_numbers: Indices, points: Floats, point_numbers: Indices, n_neighbors: int
) -> Floats:
    """Return distances to the nearest of the points; infinity where there are too few of them."""
    # Squared distances up to a constant for each row: enough to find the neighbours, and too
    # coarse to measure them, which comes after.
    ranks = np.einsum("ij,ij->i", points, points) - 2 * (rows @ points.T)
    ranks[row_numbers[:, np.newaxis] == point_numbers] = np.inf
    n_found = min(n_neighbors, len(points))
    found = np.argpartition(ranks, n_found - 1, axis=1)[:, :n_found]
    offers = np.full((len(rows), n_neighbors), np.inf)
    for column, indices in enumerate(found.T):
        offers[:, column] = np.linalg.norm(rows - points[indices], axis=1)
    is_self = row_numbers[:, np.newaxis] == point_numbers[found]
    offers[:, :n_found][is_self] = np.inf
    return offers


def _mean_of_nearest(offers: Floats, n_neighbors: int, power: int) -> Floats:
    nearest = np.partition(offers, n_neighbors - 1, axis=1)[:, :n_neighbors]
    return np.asarray((nearest**power).mean(axis=1))


def _finite(chunk: Floats) -> Floats:
    if not np.isfinite(chunk).all():
        raise ValueError("data must be finite, but it holds NaN or infinity")
    return chunk


def _as_matrix(data: Any) -> Floats | da.Array:
    matrix = data if isinstance(data, da.Array) else np.asarray(data)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"data must have rows and columns, but its shape is {matrix.shape}")
    if np.isnan(matrix.shape).any():
        raise ValueError("data has chunks of unknown size: call data.compute_chunk_sizes() first")
    return matrix.astype(np.float64)


def _check_between(parameter: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{parameter} must be from {low} to {high} for this data, not {value}")
