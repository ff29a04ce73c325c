"""The table and the curves of `few_labels.py`, from the directories of runs."""

import csv
import statistics
import textwrap

import methods_table
from recipe_runs import read

NUM_LAST = 5  # points at the end of a curve; papers report their median


def section(folders, titles, labels_per_class, command):
    """Returns the Markdown of a table.

    Args:
        folders: Dict from `(name, labels per class)` to the directories of runs by label seed.
        titles: Dict from the name of a method to its title.
        labels_per_class: Numbers of labels per class.
        command: String, the command of the comparison.
    """
    head = ["method", *(f"{count} per class" for count in labels_per_class), "minutes per run"]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for name, title in titles.items():
        cells = [accuracy(folders[name, count]) for count in labels_per_class]
        runs = [folder for count in labels_per_class for folder in folders[name, count]]
        times = [read(folder / "process.json").get("minutes") for folder in runs]
        times = [minutes for minutes in times if minutes]
        cells.append(f"{statistics.median(times):.1f}" if times else "-")
        lines.append(f"| {' | '.join([title, *cells])} |")
    steps, commits = set(), set()
    for runs in folders.values():
        for folder in runs:
            steps |= {str(read(folder / "results.json").get("steps", "-"))}
            commits |= {str(read(folder / "process.json").get("commit", "-"))}
    seeds = max(len(runs) for runs in folders.values())
    kind = (
        f"mean ± standard deviation over {seeds} label seeds; in brackets the mean of the medians"
        if seeds > 1
        else "one label seed; in brackets the median"
    )
    note = (
        f"Test accuracy of the final EMA weights in percent, {kind} of the last {NUM_LAST} points "
        f"of the curves. {' and '.join(sorted(steps))} steps, commit "
        f"{' and '.join(sorted(commits))}; {methods_table.machine()}."
    )
    note = textwrap.fill(note, 108, break_on_hyphens=False)
    parts = [f"    {command}", note, "\n".join(lines)]
    for count in labels_per_class:
        curves = {title: mean_curve(folders[name, count]) for name, title in titles.items()}
        curves = {title: curve for title, curve in curves.items() if curve}
        if curves:
            parts.append(curves_table(curves, count))
    return "\n\n".join(parts)


def curves_table(curves, count):
    """Returns the Markdown of accuracies by epoch.

    Args:
        curves: Dict from titles to pairs of an epoch and the mean accuracy after it, in percent.
        count: Number of labels per class.
    """
    epochs = sorted({epoch for curve in curves.values() for epoch, _ in curve})
    lines = [f"| {count} per class, after epoch | {' | '.join(map(str, epochs))} |"]
    lines.append("|---" * (1 + len(epochs)) + "|")
    for title, curve in curves.items():
        cells = {epoch: f"{share:.1f}" for epoch, share in curve}
        lines.append(f"| {title} | {' | '.join(cells.get(epoch, '-') for epoch in epochs)} |")
    return "\n".join(lines)


def mean_curve(folders):
    """Returns pairs of an epoch and the mean test accuracy over label seeds, in percent."""
    points = {}
    for folder in folders:
        for epoch, share in history(folder / "history.csv"):
            points.setdefault(epoch, []).append(100 * share)
    return [(epoch, statistics.mean(points[epoch])) for epoch in sorted(points)]


def accuracy(folders):
    """Returns the mean, the deviation, the median at the end of the curves and missing runs."""
    shares = [read(folder / "results.json").get("accuracy") for folder in folders]
    shares = [100 * share for share in shares if share is not None]
    if not shares:
        return "-"
    curves = [
        [share for _, share in history(folder / "history.csv")][-NUM_LAST:] for folder in folders
    ]
    medians = [100 * statistics.median(curve) for curve in curves if curve]
    spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
    median = f" ({statistics.mean(medians):.1f})" if medians else ""
    missing = f", {len(shares)} of {len(folders)}" if len(shares) < len(folders) else ""
    return f"{statistics.mean(shares):.1f}{spread}{median}{missing}"


def plot_curves(folders, titles, labels_per_class, path):
    """Plots the mean test accuracy over the epochs, one plot for each number of labels."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure  # unlike pyplot, it has no window and no global state

    figure = Figure(figsize=(4.6 * len(labels_per_class) + 2.2, 3.8), layout="constrained")
    axes = figure.subplots(1, len(labels_per_class), sharey=True, squeeze=False)[0]
    for axis, count in zip(axes, labels_per_class, strict=True):
        for index, (name, title) in enumerate(titles.items()):
            curve = mean_curve(folders[name, count])
            epochs, means = zip(*curve, strict=True) if curve else ((), ())
            color = colormaps["tab20"](index % 20)
            axis.plot(epochs, means, marker=".", color=color, label=title)
        axis.set_title(f"{count} labels per class" if count > 1 else "1 label per class")
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("test accuracy, %")
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def history(file):
    """Returns pairs of an epoch and the test accuracy after it, for epochs with one."""
    if not file.exists():
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    points = [(1 + int(row["epoch"]), row.get("val_accuracy")) for row in rows]
    return [(epoch, float(share)) for epoch, share in points if share and share != "nan"]
