"""Pictures, for which matplotlib is imported when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .coverage import Coverage

_COLORS = {True: "#2e8b57", None: "#e0b040", False: "#e8e8e8"}
_WORDS = {True: "implemented", None: "not known", False: "not implemented"}
_SQUARE = 0.32  # inches


def save_coverage(coverage: Coverage, path: str) -> None:
    """Draw into a file, without the state that interactive figures have."""
    _import_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=_size(coverage), layout="constrained")
    draw_coverage(coverage, figure.subplots())
    figure.savefig(path)


def draw_coverage(coverage: Coverage, ax: Axes | None) -> Axes:
    """Draw who implements what, functions from top to bottom and backends side by side."""
    _import_matplotlib()
    from matplotlib.patches import Patch, Rectangle

    functions, backends = coverage.functions, coverage.backends
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=_size(coverage), layout="constrained")
    told: dict[bool | None, Any] = {}
    for row, function in enumerate(functions):
        for column, backend in enumerate(backends):
            implemented = coverage.implemented(function, backend)
            options = coverage.options(function, backend)
            color = _COLORS[implemented]
            ax.add_patch(Rectangle((column - 0.45, row - 0.45), 0.9, 0.9, color=color, lw=0))
            if options:
                ax.text(column, row, str(len(options)), ha="center", va="center", color="white")
            told[implemented] = Patch(color=color, label=_WORDS[implemented])
    ax.set_xlim(-0.5, max(len(backends), 1) - 0.5)
    ax.set_ylim(max(len(functions), 1) - 0.5, -0.5)
    ax.set_aspect("equal")
    ax.set_xticks(range(len(backends)), backends, rotation=60, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(functions)), functions)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(coverage.host)
    if told:
        handles = [told[key] for key in _COLORS if key in told]
        ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
    return ax


def _size(coverage: Coverage) -> tuple[float, float]:
    """Width and height in inches, so that squares come out as large whatever their number."""
    longest = max(map(len, coverage.functions), default=0)
    width = 2.2 + 0.08 * longest + _SQUARE * len(coverage.backends)
    return width, 1.4 + _SQUARE * len(coverage.functions)


def _import_matplotlib() -> None:
    try:
        import matplotlib as _  # noqa: F401  only whether it is there
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib: pip install 'backstack[plot]'", name="matplotlib"
        ) from error
