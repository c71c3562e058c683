"""The class of example_host in JAX, on whatever device JAX runs on here."""

from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from my_backend._arrays import Result, as_matrix, check_between, on_device

Indices = npt.NDArray[np.signedinteger[Any]]


class Neighborhood:
    """The rows of a data matrix, ready to be asked for the ones nearest to others.

    It takes the place of the host's class of that name: the arguments and the methods are the
    same, and it has nothing else in common with it.

    Parameters
    ----------
    n_neighbors : int, default: 5
        How many neighbours to find.
    block_size : int, default: 1024
        How many queries are compared with all rows at a time. It bounds the memory, and
        changes nothing else.
    dtype : {'float64', 'float32'}, default: 'float64'
        The precision to compute in.
    """

    def __init__(
        self, n_neighbors: int = 5, *, block_size: int = 1024, dtype: str = "float64"
    ) -> None:
        self.n_neighbors = n_neighbors
        self.block_size = block_size
        self.dtype = dtype

    def fit(self, data: npt.ArrayLike) -> Self:
        """Keep the rows to search, moved so that their centre is the origin."""
        matrix = as_matrix(data)
        self._center = matrix.mean(axis=0)
        self._points = matrix - self._center
        return self

    def kneighbors(self, queries: npt.ArrayLike | None = None) -> tuple[Result, Indices]:
        """Find the rows nearest to each query, or to each row among the others.

        Parameters
        ----------
        queries : array_like, shape (n_queries, n_columns), optional
            Where to search from. Without it, every row is asked for the nearest *other* rows.

        Returns
        -------
        distances : ndarray of `dtype`, shape (n_queries, n_neighbors)
            Euclidean distances, nearest first.
        indices : ndarray of int, shape (n_queries, n_neighbors)
            Which rows those are. Among rows at equal distance any may be taken.
        """
        own = queries is None
        asked = self._points if queries is None else as_matrix(queries) - self._center
        check_between("n_neighbors", self.n_neighbors, 1, len(self._points) - own)
        check_between("block_size", self.block_size, 1, max(self.block_size, len(asked)))
        with jax.enable_x64(True):
            found = _search(
                on_device(asked, self.dtype),
                on_device(self._points, self.dtype),
                np.arange(len(asked)) if own else np.full(len(asked), -1),
                self.n_neighbors,
                min(self.block_size, len(asked)),
            )
            distances, indices = map(np.asarray, found)
        order = np.lexsort((indices, distances), axis=1)
        return np.take_along_axis(distances, order, 1), np.take_along_axis(indices, order, 1)


@partial(jax.jit, static_argnames=("n_neighbors", "block_size"))
def _search(
    queries: jax.Array, points: jax.Array, own: jax.Array, n_neighbors: int, block_size: int
) -> tuple[jax.Array, jax.Array]:
    """Distances to the nearest points and their numbers; `own` is the point a query itself is."""
    lengths = (points**2).sum(axis=1)
    numbers = jnp.arange(len(points))

    def nearest(query: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        row, itself = query
        # Squared distances up to a constant: enough to find the neighbours, and too coarse to
        # measure them, which comes after.
        ranks = lengths - 2 * jnp.matmul(points, row, precision="highest")
        ranks = jnp.where(numbers == itself, jnp.inf, ranks)
        _, found = jax.lax.scan(take_nearest, ranks, length=n_neighbors)
        return jnp.sqrt(((points[found] - row) ** 2).sum(axis=1)), found

    found: tuple[jax.Array, jax.Array] = jax.lax.map(nearest, (queries, own), batch_size=block_size)
    return found


def take_nearest(ranks: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
    """Take the smallest out of `ranks`: what is left, and where it was.

    One minimum after another: in double precision on a CPU, `lax.top_k` sorts every row, which
    takes ten times as long for a few neighbours.
    """
    nearest = jnp.argmin(ranks)
    return ranks.at[nearest].set(jnp.inf), nearest
