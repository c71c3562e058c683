"""Nearest neighbours by exhaustive search, in tiles so that memory stays bounded."""

from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from example_host._backends import backend_class
from example_host._checks import as_matrix, check_between

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


# A backend replaces the whole class: what it exports under this name takes the same arguments
# and has the same methods. It need not derive from this one.
@backend_class
class Neighborhood:
    """The rows of a data matrix, ready to be asked for the ones nearest to others.

    Parameters
    ----------
    n_neighbors : int, default: 5
        How many neighbours to find.
    block_size : int, default: 1024
        How many rows are compared with how many at a time. It bounds the memory, and
        changes nothing else.

    Examples
    --------
    >>> from example_host import Neighborhood
    >>> neighborhood = Neighborhood(n_neighbors=1).fit([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0]])
    >>> distances, indices = neighborhood.kneighbors([[5.0, 0.0]])
    >>> distances
    array([[1.]])
    >>> indices
    array([[2]])
    """

    def __init__(self, n_neighbors: int = 5, *, block_size: int = 1024) -> None:
        self.n_neighbors = n_neighbors
        self.block_size = block_size

    def fit(self, data: npt.ArrayLike) -> Self:
        """Keep the rows to search.

        Parameters
        ----------
        data : array_like, shape (n_rows, n_columns)
            The rows; finite.

        Returns
        -------
        Neighborhood
            This object, so that calls can be chained.
        """
        matrix = as_matrix(data)
        self._center = matrix.mean(axis=0)
        self._points = matrix - self._center
        return self

    def kneighbors(self, queries: npt.ArrayLike | None = None) -> tuple[Floats, Indices]:
        """Find the rows nearest to each query.

        Parameters
        ----------
        queries : array_like, shape (n_queries, n_columns), optional
            Where to search from. Without it, every row is asked for the nearest *other* rows.

        Returns
        -------
        distances : ndarray, shape (n_queries, n_neighbors)
            Euclidean distances, nearest first.
        indices : ndarray of int, shape (n_queries, n_neighbors)
            Which rows those are. Among rows at equal distance any may be taken.
        """
        points = self._points
        if queries is None:
            blocks = nearest_others(points, self.n_neighbors, self.block_size)
        else:
            centered = as_matrix(queries) - self._center
            blocks = nearest(centered, points, self.n_neighbors, self.block_size)
        distances, indices = zip(*blocks, strict=True)
        return np.concatenate(distances), np.concatenate(indices)


def nearest(
    queries: Floats, points: Floats, n_neighbors: int, block_size: int
) -> Iterator[tuple[Floats, Indices]]:
    """Yield distances to, and indices of, the points nearest to each block of queries."""
    check_between("n_neighbors", n_neighbors, 1, len(points))
    for rows in _blocks(len(queries), block_size):
        own = np.full(len(rows), -1)
        yield _nearest_to(queries[rows], own, points, n_neighbors, block_size)


def nearest_others(
    points: Floats, n_neighbors: int, block_size: int
) -> Iterator[tuple[Floats, Indices]]:
    """Do as `nearest` with the points themselves as queries, none being its own neighbour."""
    check_between("n_neighbors", n_neighbors, 1, len(points) - 1)
    for rows in _blocks(len(points), block_size):
        yield _nearest_to(points[rows], rows, points, n_neighbors, block_size)


def _blocks(n_rows: int, block_size: int) -> Iterator[Indices]:
    check_between("block_size", block_size, 1, max(n_rows, block_size))
    for start in range(0, n_rows, block_size):
        yield np.arange(start, min(start + block_size, n_rows))


def _nearest_to(
    queries: Floats, own: Indices, points: Floats, n_neighbors: int, block_size: int
) -> tuple[Floats, Indices]:
    """Search all points, a tile at a time; `own` numbers the point that each query is itself."""
    ranks = np.full((len(queries), n_neighbors), np.inf)
    indices = np.full((len(queries), n_neighbors), -1)
    for tile in _blocks(len(points), block_size):
        fresh = _rank(queries, points[tile])
        fresh[own[:, np.newaxis] == tile] = np.inf
        ranks = np.hstack([ranks, fresh])
        indices = np.hstack([indices, np.broadcast_to(tile, fresh.shape)])
        kept = np.argpartition(ranks, n_neighbors - 1, axis=1)[:, :n_neighbors]
        ranks = np.take_along_axis(ranks, kept, axis=1)
        indices = np.take_along_axis(indices, kept, axis=1)
    return _measured(queries, points, indices)


def _rank(queries: Floats, points: Floats) -> Floats:
    """Squared distances up to a constant for each query, by one matrix product."""
    lengths: Floats = np.einsum("ij,ij->i", points, points)
    return lengths - 2 * (queries @ points.T)


def _measured(queries: Floats, points: Floats, indices: Indices) -> tuple[Floats, Indices]:
    """Measure the neighbours found and sort them, nearest first.

    The matrix product that ranks is fast and loses digits by cancellation: it is good enough
    to find neighbours, not to measure them. One column of neighbours at a time, because all
    at once would need ``n_neighbors`` times the memory of the queries.
    """
    columns = [np.linalg.norm(queries - points[column], axis=1) for column in indices.T]
    distances = np.stack(columns, axis=1)
    order = np.lexsort((indices, distances), axis=1)
    return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)
