"""The table and the curves of `few_labels.py`, from the folders of runs."""

import csv
import statistics
import textwrap

import methods_table
from recipe_runs import read

LAST = 5  # points at the end of a curve, of which papers report the median


def section(found, titles, labels_per_class, command):
    """Returns the Markdown of a table.

    Args:
        found: Dict from `(name, labels per class)` to the folders of runs, one a label seed.
        titles: Dict from the name of a method to its title.
        labels_per_class: Numbers of labels per class.
        command: What was run.
    """
    head = ["method", *(f"{count} per class" for count in labels_per_class), "minutes a run"]
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---'] * len(head))} |"]
    for name, title in titles.items():
        cells = [accuracy(found[name, count]) for count in labels_per_class]
        folders = [folder for count in labels_per_class for folder in found[name, count]]
        took = [read(folder / "process.json").get("minutes") for folder in folders]
        took = [minutes for minutes in took if minutes]
        cells.append(f"{statistics.median(took):.1f}" if took else "-")
        lines.append(f"| {' | '.join([title, *cells])} |")
    steps, commits = set(), set()
    for folders in found.values():
        for folder in folders:
            steps |= {str(read(folder / "results.json").get("steps", "-"))}
            commits |= {str(read(folder / "process.json").get("commit", "-"))}
    seeds = max(len(folders) for folders in found.values())
    kind = (
        f"mean ± standard deviation over {seeds} draws of the labels; in brackets the mean of the "
        "medians"
        if seeds > 1
        else "one draw of the labels; in brackets the median"
    )
    note = (
        f"Accuracy in percent of the last averaged weights on all test images, {kind} of the last "
        f"{LAST} points of the curves. {' and '.join(sorted(steps))} steps, commit "
        f"{' and '.join(sorted(commits))}; {methods_table.machine()}."
    )
    note = textwrap.fill(note, 108, break_on_hyphens=False)
    parts = [f"    {command}", note, "\n".join(lines)]
    for count in labels_per_class:
        names = [name for name in titles if mean_curve(found[name, count])]
        if names:
            parts.append(as_it_went({titles[n]: mean_curve(found[n, count]) for n in names}, count))
    return "\n\n".join(parts)


def as_it_went(curves, count):
    """Returns the Markdown of accuracies after epochs.

    Args:
        curves: Dict from titles to pairs of an epoch and the mean accuracy after it, in percent.
        count: Labels per class.
    """
    epochs = sorted({epoch for curve in curves.values() for epoch, _ in curve})
    lines = [f"| {count} per class, after epoch | {' | '.join(map(str, epochs))} |"]
    lines.append("|---" * (1 + len(epochs)) + "|")
    for title, curve in curves.items():
        at = {epoch: f"{share:.1f}" for epoch, share in curve}
        lines.append(f"| {title} | {' | '.join(at.get(epoch, '-') for epoch in epochs)} |")
    return "\n".join(lines)


def mean_curve(folders):
    """Pairs of an epoch and the mean test accuracy after it over label seeds, in percent."""
    points = {}
    for folder in folders:
        for epoch, share in history(folder / "history.csv"):
            points.setdefault(epoch, []).append(100 * share)
    return [(epoch, statistics.mean(points[epoch])) for epoch in sorted(points)]


def accuracy(folders):
    """Mean and deviation in percent, then that of the curves' ends; how many where some lack."""
    shares = [read(folder / "results.json").get("accuracy") for folder in folders]
    shares = [100 * share for share in shares if share is not None]
    if not shares:
        return "-"
    curves = [[share for _, share in history(folder / "history.csv")][-LAST:] for folder in folders]
    medians = [100 * statistics.median(curve) for curve in curves if curve]
    spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
    late = f" ({statistics.mean(medians):.1f})" if medians else ""
    missing = f", {len(shares)} of {len(folders)}" if len(shares) < len(folders) else ""
    return f"{statistics.mean(shares):.1f}{spread}{late}{missing}"


def curves(found, titles, labels_per_class, path):
    """Draws test accuracy over the epochs, the mean over label seeds, a plot for each number."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure  # without pyplot: no window, nothing global

    figure = Figure(figsize=(4.6 * len(labels_per_class) + 2.2, 3.8), layout="constrained")
    axes = figure.subplots(1, len(labels_per_class), sharey=True, squeeze=False)[0]
    for axis, count in zip(axes, labels_per_class, strict=True):
        for index, (name, title) in enumerate(titles.items()):
            curve = mean_curve(found[name, count])
            at, means = zip(*curve, strict=True) if curve else ((), ())
            color = colormaps["tab20"](index % 20)
            axis.plot(at, means, marker=".", color=color, label=title)
        axis.set_title(f"{count} labels per class" if count > 1 else "1 label per class")
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("test accuracy, %")
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def history(file):
    """Pairs of an epoch and the test accuracy after it, where it was measured."""
    if not file.exists():
        return []
    with open(file, newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    measured = [(1 + int(row["epoch"]), row.get("val_accuracy")) for row in rows]
    return [(epoch, float(share)) for epoch, share in measured if share and share != "nan"]
