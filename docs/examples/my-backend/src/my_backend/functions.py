"""The functions of example_host in JAX, on whatever device JAX runs on here.

Results are NumPy arrays. The default is double precision, so that they agree with the host's;
`dtype` trades that for speed. JAX's own configuration stays as its user left it: 64-bit types
are enabled inside a call, for the thread that makes it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from my_backend._arrays import Result, as_matrix, check_between, on_device
from my_backend.neighbors import take_nearest

POWERS = {"euclidean": 1, "sqeuclidean": 2}


def compute_score(
    data: npt.ArrayLike,
    n_neighbors: int = 5,
    *,
    metric: str = "euclidean",
    batch_size: int = 256,
    dtype: str = "float64",
) -> Result:
    """Score each row by how far its nearest neighbours are.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The rows to score; finite.
    n_neighbors : int, default: 5
        How many of the other rows count, the nearest ones.
    metric : {'euclidean', 'sqeuclidean'}, default: 'euclidean'
        Whether distances are averaged, or their squares.
    batch_size : int, default: 256
        How many rows are compared with all others at a time. Memory grows with
        ``batch_size * n_rows``.
    dtype : {'float64', 'float32'}, default: 'float64'
        The precision to compute in; 'float32' needs half the memory and is good to some six
        digits.

    Returns
    -------
    ndarray of `dtype`, shape (n_rows,)
        The mean distance from each row to its nearest neighbours.
    """
    matrix = as_matrix(data)
    check_between("n_neighbors", n_neighbors, 1, len(matrix) - 1)
    check_between("batch_size", batch_size, 1, max(batch_size, len(matrix)))
    if metric not in POWERS:
        raise ValueError(f"metric must be one of {', '.join(POWERS)}, not {metric!r}")
    with jax.enable_x64(True):
        points = on_device(matrix - matrix.mean(axis=0), dtype)
        return np.asarray(_scores(points, n_neighbors, POWERS[metric], batch_size))


def embed(
    data: npt.ArrayLike, n_components: int = 2, *, center: bool = True, dtype: str = "float64"
) -> Result:
    """Project the rows on their principal components.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The rows to project; finite.
    n_components : int, default: 2
        How many components to keep, those with the largest variance first.
    center : bool, default: True
        Whether to subtract each column's mean first.
    dtype : {'float64', 'float32'}, default: 'float64'
        The precision to compute in.

    Returns
    -------
    ndarray of `dtype`, shape (n_rows, n_components)
        The rows' coordinates along the components, with the signs that the host gives them.
    """
    matrix = as_matrix(data)
    check_between("n_components", n_components, 1, min(matrix.shape))
    if center:
        matrix = matrix - matrix.mean(axis=0)
    with jax.enable_x64(True):
        return np.asarray(_embedding(on_device(matrix, dtype), n_components))


def summarize(data: npt.ArrayLike, *, ddof: int = 0, dtype: str = "float64") -> dict[str, Result]:
    """Describe each column by a few numbers.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The columns to describe; finite.
    ddof : int, default: 0
        What is taken off the number of rows in the divisor of the standard deviation.
    dtype : {'float64', 'float32'}, default: 'float64'
        The precision to compute in.

    Returns
    -------
    dict of str to ndarray of `dtype`, shape (n_columns,)
        Under ``"mean"``, ``"std"``, ``"min"`` and ``"max"``, one number for each column.
    """
    matrix = as_matrix(data)
    check_between("ddof", ddof, 0, len(matrix) - 1)
    with jax.enable_x64(True):
        summary = _summary(on_device(matrix, dtype), ddof)
        # In this order: what a jitted function returns has its keys sorted.
        return {statistic: np.asarray(summary[statistic]) for statistic in STATISTICS}


STATISTICS = ("mean", "std", "min", "max")


@partial(jax.jit, static_argnames=("n_neighbors", "power", "batch_size"))
def _scores(points: jax.Array, n_neighbors: int, power: int, batch_size: int) -> jax.Array:
    lengths = (points**2).sum(axis=1)

    def score(index: jax.Array) -> jax.Array:
        row = points[index]
        # Squared distances up to a constant: enough to find the neighbours, and too coarse to
        # measure them, which comes after.
        ranks = lengths - 2 * jnp.matmul(points, row, precision="highest")
        ranks = ranks.at[index].set(jnp.inf)
        _, nearest = jax.lax.scan(take_nearest, ranks, length=n_neighbors)
        distances = jnp.sqrt(((points[nearest] - row) ** 2).sum(axis=1))
        return (distances**power).mean()

    scores: jax.Array = jax.lax.map(score, jnp.arange(len(points)), batch_size=batch_size)
    return scores


@partial(jax.jit, static_argnames="n_components")
def _embedding(matrix: jax.Array, n_components: int) -> jax.Array:
    left, scale, right = jnp.linalg.svd(matrix, full_matrices=False)
    # The host's rule: the first of the weights that share the largest size is positive.
    sizes = jnp.abs(right)
    first = jnp.argmax(sizes >= 0.999 * sizes.max(axis=1, keepdims=True), axis=1)
    signs = jnp.sign(right[jnp.arange(len(right)), first])
    return (left * scale * signs)[:, :n_components]


@partial(jax.jit, static_argnames="ddof")
def _summary(matrix: jax.Array, ddof: int) -> dict[str, jax.Array]:
    return {
        "mean": matrix.mean(axis=0),
        "std": matrix.std(axis=0, ddof=ddof),
        "min": matrix.min(axis=0),
        "max": matrix.max(axis=0),
    }
