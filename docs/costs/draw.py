"""Draw the picture and write the tables of "What a call costs" from the saved run beside this.

A new run is made by ``python -m benchmarks.tried docs/costs/run.json``.
"""

import json
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
OURS, OTHERS, EDGE = "#2a6f97", "#b8b8b8", "#444444"


def main() -> None:
    """Do both."""
    run = json.loads((HERE / "run.json").read_text())
    draw(run)
    tables = [
        ("calls", table("call", run, "calls")),
        ("scopes", table("what", run, "scopes")),
        ("peers", table("call", run, "peers")),
        ("tried", pairs("variant", run, "tried")),
    ]
    for name, text in tables:
        (HERE / f"{name}.md").write_text(text)


def draw(run: dict) -> None:
    """Bars for the calls of each library, one panel for each Python."""
    figure = Figure(figsize=(6, 6.4), layout="constrained")
    panels = figure.subplots(len(run), 1, sharex=True)
    for panel, (version, kept) in zip(panels, run.items(), strict=True):
        peers = sorted(kept["peers"].items(), key=lambda item: -item[1])
        names, values = zip(*peers, strict=True)
        colours = [OURS if name.startswith("backstack") else OTHERS for name in names]
        bars = panel.barh(names, values, color=colours)
        panel.bar_label(bars, fmt="%.1f", padding=3, fontsize=8, color=EDGE)
        panel.axvline(1, color=EDGE, linewidth=0.8, linestyle=":")
        panel.set_title(f"Python {version}", fontsize=10)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.12)
    figure.supxlabel(
        "what a call adds, in units of what a bare functools.wraps closure adds", fontsize=9
    )
    figure.savefig(HERE / "calls.png", dpi=150)


def table(heading: str, run: dict, section: str) -> str:
    """A Markdown table with a column for each Python."""
    lines = [f"| {heading} | {' | '.join(run)} |", "|---|" + "---:|" * len(run)]
    names = dict.fromkeys(name for kept in run.values() for name in kept[section])
    for name in names:
        values = (kept[section].get(name) for kept in run.values())
        cells = " | ".join("" if value is None else f"{value:.2f}" for value in values)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines) + "\n"


def pairs(heading: str, run: dict, section: str) -> str:
    """The same where each has a value without a keyword and one with a keyword."""
    lines = [f"| {heading} | {' | '.join(run)} |", "|---|" + "---:|" * len(run)]
    for name in next(iter(run.values()))[section]:
        cells = (" / ".join(f"{each:.2f}" for each in kept[section][name]) for kept in run.values())
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
