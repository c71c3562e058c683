"""What every function asks of its arguments, and how they get to the device."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Result = npt.NDArray[np.floating[Any]]


def as_matrix(data: npt.ArrayLike) -> Matrix:
    """Return `data` as a matrix of finite float64, or say what is wrong with it."""
    matrix = np.asarray(data, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"data must have rows and columns, but its shape is {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("data must be finite, but it holds NaN or infinity")
    return matrix


def check_between(parameter: str, value: int, low: int, high: int) -> None:
    """Raise unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise ValueError(f"{parameter} must be from {low} to {high} for this data, not {value}")


def on_device(matrix: Matrix, dtype: str) -> jax.Array:
    """Return `matrix` as an array of JAX in the precision asked for."""
    if np.dtype(dtype) not in (np.float64, np.float32):
        raise ValueError(f"dtype must be 'float64' or 'float32', not {dtype!r}")
    return jnp.asarray(matrix, dtype=dtype)
