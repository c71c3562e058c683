"""What every function asks of its arguments, in one place."""

import numpy as np
import numpy.typing as npt


def as_matrix(data: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return `data` as a matrix of finite float64, or say what is wrong with it."""
    matrix = np.asarray(data, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(f"data must have rows and columns, but its shape is {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError("data must be finite, but it holds NaN or infinity")
    return matrix


def check_between(name: str, value: int, low: int, high: int) -> None:
    """Raise unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise ValueError(f"{name} must be from {low} to {high} for this data, not {value}")
