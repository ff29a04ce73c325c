"""Adaptation of CLIP to corrupted images by ReCLIP, over several seeds.

    python benchmarks/adaptation.py                         # digits
    python benchmarks/adaptation.py --dataset cifar10 --data-dir DIR --clip-epochs 6 --epochs 5

Each seed trains a CLIP on clean images (recipes/clip.py), then adapts it (recipes/reclip.py). The
table goes to RESULTS.md. Rerun the same command to resume.
"""

import dataclasses
import json
import shlex
import statistics
import sys
import textwrap
from pathlib import Path

import methods_table
import recipe_runs
import tyro

ROOT = Path(__file__).parents[1]
CLIP = {
    "zero_shot": "CLIP, test images as they are",
    "zero_shot_held_out_phrases": "CLIP, test images as they are, in phrases not seen in training",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the runs.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes.
        clip_epochs: As in recipes/reclip.py. None for its default.
        epochs: As in recipes/reclip.py. None for its default.
        images: As in recipes/reclip.py.
        seeds: Seeds, as in the recipes.
        output: Directory of the runs.
        results: File of the table.
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    encoder: str = "small_resnet"
    clip_epochs: int | None = None
    epochs: int | None = None
    images: int | None = None
    seeds: tuple[int, ...] = (0, 1, 2)
    output: Path = Path("runs/reclip")
    results: Path = ROOT / "RESULTS.md"


def main(options):
    """Runs what is missing, then prints and writes the table."""
    name = Path(options.dataset).name
    results, minutes = [], []
    for seed in options.seeds:
        folder = options.output / name / f"seed-{seed}"
        recipe_options = {
            "dataset": options.dataset,
            "encoder": options.encoder,
            "seed": seed,
            "images": options.images,  # None for all
        }
        for option in ("clip_epochs", "epochs"):
            if getattr(options, option) is not None:
                recipe_options[option] = getattr(options, option)
        data_dir = ["--data-dir", str(options.data_dir)] if options.data_dir else []
        recipe_runs.run(ROOT / "recipes" / "reclip.py", folder, recipe_options, data_dir)
        results.append(results_of(folder))
        minutes.append(recipe_runs.read(folder / "process.json")["minutes"])
    config = recipe_runs.read(folder / "config.json")
    text = table(options, results, minutes, config)
    methods_table.put(text, f"{name} ReCLIP", options.results, f"CLIP and ReCLIP on {name}")
    print(f"\n{text}\n\nWritten to {options.results}.")


def results_of(folder):
    """Returns the results of a run by title: of CLIP, then of its adaptation."""
    clip = json.loads((folder / "clip" / "clip.json").read_text())
    adapted = json.loads((folder / "results.json").read_text())
    return {**{title: clip[key] for key, title in CLIP.items()}, **adapted}


def table(options, results, minutes, config):
    """Returns the Markdown of the table: command, machine, means over seeds."""
    command = shlex.join(["python", "benchmarks/adaptation.py", *sys.argv[1:]])
    corruption = [f"{name} {config[name]}" for name in ("noise", "blur", "contrast", "cast")]
    images = f"{config['images']} training images" if config["images"] else "all training images"
    facts = (
        f"{options.encoder}, {config['clip_epochs']} epochs of CLIP and {config['epochs']} of "
        f"adapting to {images}, {statistics.mean(minutes):.0f} minutes per seed; corruption: "
        f"{', '.join(corruption)}; {methods_table.machine()}. Mean and standard deviation over "
        f"seeds {', '.join(map(str, options.seeds))}."
    )
    lines = ["| | % |", "| --- | --- |"]
    for title in results[0]:
        shares = [100 * result[title] for result in results]
        spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
        lines.append(f"| {title} | {statistics.mean(shares):.1f}{spread} |")
    facts = textwrap.fill(facts, 108, break_on_hyphens=False)
    return "\n\n".join([f"    {command}", facts, "\n".join(lines)])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
