"""The public functions: each runs here, in NumPy, or on the backend that its caller chose."""

from __future__ import annotations  # help() shows types by the names that are written here

from typing import Literal

import numpy as np
import numpy.typing as npt

from example_host._backends import backend_dispatch
from example_host._checks import as_matrix, check_between
from example_host.neighbors import nearest_others

Floats = npt.NDArray[np.float64]
Metric = Literal["euclidean", "sqeuclidean"]

POWERS = {"euclidean": 1, "sqeuclidean": 2}


# `backend` is declared so that type checkers and editors see it; the dispatcher reads it, and
# never passes it on. Leaving it out works too, as in `embed`.
@backend_dispatch
def compute_score(
    data: npt.ArrayLike,
    n_neighbors: int = 5,
    *,
    metric: Metric = "euclidean",
    block_size: int = 1024,
    backend: str | None = None,
) -> Floats:
    """Score each row by how far its nearest neighbours are: high scores are outliers.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The rows to score; finite.
    n_neighbors : int, default: 5
        How many of the other rows count, the nearest ones.
    metric : {'euclidean', 'sqeuclidean'}, default: 'euclidean'
        Whether distances are averaged, or their squares.
    block_size : int, default: 1024
        How many rows are compared with how many at a time. It bounds the memory, and
        changes nothing else.

    Returns
    -------
    ndarray, shape (n_rows,)
        The mean distance from each row to its nearest neighbours, in the units of `data`.

    Raises
    ------
    ValueError
        If `data` has no two dimensions or is not finite, if it has too few rows for
        `n_neighbors`, or if the metric is unknown.

    Examples
    --------
    >>> import example_host as eh
    >>> eh.compute_score([[0.0, 0.0], [0.0, 1.0], [4.0, 0.0]], n_neighbors=1)
    array([1., 1., 4.])
    """
    if metric not in POWERS:
        raise ValueError(f"metric must be one of {', '.join(POWERS)}, not {metric!r}")
    points = as_matrix(data)
    # Distances do not change when all rows move; the ranking by matrix product is sharper
    # near the origin.
    points = points - points.mean(axis=0)
    blocks = nearest_others(points, n_neighbors, block_size)
    return np.concatenate([(found ** POWERS[metric]).mean(axis=1) for found, _ in blocks])


@backend_dispatch
def embed(data: npt.ArrayLike, n_components: int = 2, *, center: bool = True) -> Floats:
    """Project the rows on their principal components.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The rows to project; finite.
    n_components : int, default: 2
        How many components to keep, those with the largest variance first.
    center : bool, default: True
        Whether to subtract each column's mean first.

    Returns
    -------
    ndarray, shape (n_rows, n_components)
        The rows' coordinates along the components.

    Raises
    ------
    ValueError
        If `data` has no two dimensions or is not finite, or has fewer rows or columns than
        `n_components`.

    Notes
    -----
    A component is known up to its sign. Here the sign is such that the column with the largest
    weight counts positive; where several share the largest weight, within a thousandth,
    the first of them does. Components of equal variance are not unique.

    Examples
    --------
    >>> import example_host as eh
    >>> eh.embed([[0.0, 1.0], [2.0, 1.0], [10.0, 1.0]], n_components=1)
    array([[-4.],
           [-2.],
           [ 6.]])
    """
    matrix = as_matrix(data)
    check_between("n_components", n_components, 1, min(matrix.shape))
    if center:
        matrix = matrix - matrix.mean(axis=0)
    left, scale, right = np.linalg.svd(matrix, full_matrices=False)
    embedding: Floats = left * scale * _signs(right)
    return embedding[:, :n_components]


def _signs(components: Floats) -> Floats:
    """Return for each component, a row, the sign of its largest weight.

    Rounding must not decide between weights that are equal but for their sign, as two columns
    that were standardised have: the first of the largest decides.
    """
    sizes = np.abs(components)
    first = np.argmax(sizes >= 0.999 * sizes.max(axis=1, keepdims=True), axis=1)
    signs: Floats = np.sign(components[np.arange(len(components)), first])
    return signs


@backend_dispatch
def summarize(data: npt.ArrayLike, *, ddof: int = 0) -> dict[str, Floats]:
    """Describe each column by a few numbers.

    Parameters
    ----------
    data : array_like, shape (n_rows, n_columns)
        The columns to describe; finite.
    ddof : int, default: 0
        What is taken off the number of rows in the divisor of the standard deviation.

    Returns
    -------
    dict of str to ndarray, shape (n_columns,)
        Under ``"mean"``, ``"std"``, ``"min"`` and ``"max"``, one number for each column.

    Raises
    ------
    ValueError
        If `data` has no two dimensions or is not finite, or has no more rows than `ddof`.

    Examples
    --------
    >>> import example_host as eh
    >>> summary = eh.summarize([[0.0, 1.0], [2.0, 5.0]])
    >>> summary["mean"]
    array([1., 3.])
    >>> summary["max"]
    array([2., 5.])
    """
    matrix = as_matrix(data)
    check_between("ddof", ddof, 0, len(matrix) - 1)
    return {
        "mean": matrix.mean(axis=0),
        "std": matrix.std(axis=0, ddof=ddof),
        "min": matrix.min(axis=0),
        "max": matrix.max(axis=0),
    }
