"""The table of `methods.py`: from the directories of runs to Markdown and CSV."""

import csv
import importlib.metadata
import os
import platform
import re
import shlex
import shutil
import subprocess
import textwrap

from recipe_runs import read

BASELINES = ("raw pixels", "untrained encoder")
NUMBERS = ("knn", "linear", "labels_1", "labels_1_std", "labels_5", "labels_5_std")
COLUMNS = ("method", "features", *NUMBERS, "epochs", "training_minutes", "minutes", "peak_mib")
COLUMNS += ("seed", "encoder", "commit", "settings", "error")
# Linear accuracy of a full ResNet-18 after 1, 10, 30 epochs (README of EMP-SSL) and 1000 epochs
# (README of solo-learn, online linear probe; MoCo v2 is its "MoCo V2+").
PUBLISHED = {
    "cifar10": {
        "SimCLR": (28.2, 56.5, 66.3, 90.7),
        "MoCo v2": (None, None, None, 92.9),
        "MoCo v3": (None, None, None, 93.1),
        "NNCLR": (None, None, None, 91.9),
        "BYOL": (24.9, 48.9, 68.4, 92.6),
        "SimSiam": (None, None, None, 90.5),
        "Barlow Twins": (None, None, None, 92.1),
        "VICReg": (40.6, 69.7, 78.1, 92.1),
        "SwAV": (24.5, 53.2, 76.7, 89.2),
        "DINO": (None, None, None, 89.5),
        "EMP-SSL": (80.6, 90.7, 93.1, None),
        "SupCon, with all labels": (None, None, None, 93.8),
    }
}


def read_baselines(folder):
    """Returns the rows of raw pixels and the untrained encoder, empty if no run has them."""
    for file in sorted(folder.glob("*/results.json")):
        rows = [row for row in read(file) if row["features"] in BASELINES]
        if rows:
            return rows
    return []


def read_rows(folder, titles, errors, each_untrained=False):
    """Collects the results of runs.

    Args:
        folder: Directory with a subdirectory for each method.
        titles: Dict from the name of a method and its subdirectory to its title.
        errors: Dict from the names of failed methods to the last line of their error.
        each_untrained: Bool, whether each method has its own untrained encoder.

    Returns:
        List of dicts with the keys `COLUMNS`, with None for missing values: the baselines, then
        one row for each method, or several if its features were evaluated in several ways.
    """
    shared_baselines = BASELINES[: 1 if each_untrained else 2]
    rows = [{"method": row["features"], **row} for row in read_baselines(folder)]
    rows = [row for row in rows if row["features"] in shared_baselines]
    for name, title in titles.items():
        run, process = folder / name, read(folder / name / "process.json")
        config, times = read(run / "config.json"), read(run / "time.json")
        shared = {"method": title, "epochs": config.get("epochs"), **process}
        settings = process.get("settings", {})
        shared["settings"] = " ".join(_option(*item) for item in settings.items())
        if times:  # of the last part, if the run was resumed
            seconds = times["seconds"] / times["epochs"] * config["epochs"]
            shared["training_minutes"] = seconds / 60
        results = read(run / "results.json")
        results = [row for row in results if row["features"] not in shared_baselines]
        shared["error"] = errors.get(name) or (None if results else "no results")
        rows += [{**shared, **row} for row in ([{}] if shared["error"] else results)]
    return [{column: row.get(column) for column in COLUMNS} for row in rows]


def write_csv(rows, path):
    """Writes the rows, with accuracies in 0..1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def section(title, rows, command):
    """Returns the Markdown of a table: command, machine, rows, settings and legend."""
    published = {} if "vit" in title else PUBLISHED.get(title.split()[0], {})
    head = ["method", "kNN", "linear", "1 per class", "5 per class", "epochs", "training, min"]
    head += ["total, min", "peak memory, MiB"] + ["published, ResNet-18"] * bool(published)
    lines = [_line(head), _line(["---"] * len(head))]
    for i, row in enumerate(rows):
        is_last = i + 1 == len(rows) or rows[i + 1]["method"] != row["method"]
        cells = _cells(row, published.get(row["method"]) if is_last else None)
        lines.append(_line(cells[: len(head)]))
    facts = []
    for key in ("encoder", "seed", "commit"):
        values = sorted({str(row[key]) for row in rows if row[key] is not None})
        facts += [f"{key} {' and '.join(values)}"] if values else []
    settings = {row["method"]: row["settings"] for row in rows if row["settings"]}
    notes = [
        f"{', '.join(facts)}; {machine()}.",
        "*Training* is `fit` with its probes. *Total* adds the start of the process, loading, "
        "evaluation and plots, and the baselines if the run evaluates them. *Peak memory* is that "
        "of the process.",
    ]
    if settings:
        listed = "; ".join(f"{method} `{options}`" for method, options in settings.items())
        notes.append(f"Options of the recipes: {listed}.")
    if published:
        notes.append(
            "*Published*: linear accuracy of a full ResNet-18 after 1 / 10 / 30 epochs (README of "
            "EMP-SSL, which uses 20 patches) / 1000 epochs (README of solo-learn, online probe)."
        )
    first, *others = (textwrap.fill(note, 108, break_on_hyphens=False) for note in notes)
    return "\n\n".join([f"    {command}", first, "\n".join(lines), *others])


def put(text, title, path, heading=None):
    """Replaces the text between the marker comments of a title, or appends a section.

    Args:
        text: String, Markdown.
        title: String, title in the opening marker.
        path: File, created if missing.
        heading: String, heading of an appended section. None for a heading with the title.

    Raises:
        ValueError: If the file has the opening marker but not the closing one.
    """
    begin, end = f"<!-- methods: {title} -->", "<!-- end -->"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if begin not in before:
        start = f"{before.rstrip()}\n\n" if before.strip() else ""
        before = f"{start}## {heading or f'All methods on {title}'}\n\n{begin}\n{end}\n"
    head, _, remainder = before.partition(begin)
    old, closing, tail = remainder.partition(end)
    if not closing or "<!-- methods:" in old:
        raise ValueError(f"{path} has {begin!r} and no {end!r} after it: add the line.")
    path.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")


def machine():
    """Returns a description of this machine and its software."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = [f"{cores} cores ({platform.machine()})"]
    if shutil.which("nvidia-smi"):
        command = shlex.split("nvidia-smi --query-gpu=name --format=csv,noheader")
        facts += subprocess.run(command, capture_output=True, text=True).stdout.split("\n")
    facts.append(f"Python {platform.python_version()}")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    titles = {"tensorflow": "TensorFlow", "jax": "JAX"}
    for name, title in {backend: titles.get(backend, backend), "keras": "Keras"}.items():
        facts.append(f"{title} {importlib.metadata.version(name)}")
    facts.append(f"backend {backend}")
    return ", ".join(fact for fact in facts if fact)


def _option(name, value):
    """Returns an option as on the command line."""
    values = value if isinstance(value, list) else [value]
    return " ".join([f"--{name.replace('_', '-')}", *map(str, values)])


def _cells(row, published):
    features = row["features"] or ""
    suffix = ", mean of views" if "mean of views" in features else ""
    if row["method"] != features == BASELINES[1]:
        suffix = ", untrained"
    times = [row["training_minutes"], row["minutes"]]
    cells = [row["method"] + suffix]
    if row["error"]:
        error = re.sub(r"\s+", " ", row["error"]).replace("|", "\\|")
        cells += [f"failed: {error[:200]}", "-", "-", "-"]
    else:
        cells += [_percent(row["knn"]), _percent(row["linear"])]
        for labels in ("labels_1", "labels_5"):
            cells.append(_percent(row[labels], row[f"{labels}_std"]))
    cells.append(_or_dash(row["epochs"], "d"))
    cells += [_or_dash(minutes, ".1f") for minutes in times] + [_or_dash(row["peak_mib"], ".0f")]
    return [*cells, " / ".join(_or_dash(x, ".1f") for x in published) if published else ""]


def _percent(share, deviation=None):
    if share is None:
        return "-"
    return f"{100 * share:.1f}" + (f" ± {100 * deviation:.1f}" if deviation is not None else "")


def _or_dash(number, spec):
    return "-" if number is None else format(number, spec)


def _line(cells):
    return f"| {' | '.join(cells)} |"
