"""ReCLIP on spoiled images: what adapting adds to a CLIP, part by part, over several seeds.

python benchmarks/adaptation.py                                        # digits
python benchmarks/adaptation.py --dataset cifar10 --data-dir DIR --clip-epochs 6 --epochs 5

Each seed trains a CLIP of its own on images that are not spoiled (recipes/clip.py), then adapts it
(recipes/reclip.py). The table goes to RESULTS.md; the same command again goes on where a stopped
one ended.
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
    "zero_shot_held_out_phrases": "CLIP, likewise, in phrases that training never saw",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What to run, and where to write.

    Args:
        dataset: As in the recipes.
        data_dir: As in the recipes.
        encoder: As in the recipes.
        clip_epochs: As in recipes/reclip.py; None for its own.
        epochs: Likewise.
        images: Likewise.
        seeds: As in the recipes, one after the other.
        output: Folder for the runs.
        results: File to write the table to.
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
    """Runs what is not there yet, then prints the table and writes it."""
    name = Path(options.dataset).name
    found, minutes = [], []
    for seed in options.seeds:
        folder = options.output / name / f"seed-{seed}"
        wanted = {"dataset": options.dataset, "encoder": options.encoder, "seed": seed}
        wanted["images"] = options.images  # None says all of them
        for option in ("clip_epochs", "epochs"):
            if getattr(options, option) is not None:
                wanted[option] = getattr(options, option)
        data_dir = ["--data-dir", str(options.data_dir)] if options.data_dir else []
        recipe_runs.run(ROOT / "recipes" / "reclip.py", folder, wanted, data_dir)
        found.append(results_of(folder))
        minutes.append(recipe_runs.read(folder / "process.json")["minutes"])
    config = recipe_runs.read(folder / "config.json")
    text = table(options, found, minutes, config)
    methods_table.put(text, f"{name} ReCLIP", options.results, f"CLIP and ReCLIP on {name}")
    print(f"\n{text}\n\nIn {options.results}.")


def results_of(folder):
    """Returns what a run of the recipe measured, by title: of its CLIP, then of adapting it."""
    of_clip = json.loads((folder / "clip" / "clip.json").read_text())
    adapted = json.loads((folder / "results.json").read_text())
    return {**{title: of_clip[key] for key, title in CLIP.items()}, **adapted}


def table(options, found, minutes, config):
    """Returns the Markdown: command, machine, and each figure's mean over seeds."""
    command = shlex.join(["python", "benchmarks/adaptation.py", *sys.argv[1:]])
    spoiling = ", ".join(f"{name} {config[name]}" for name in ("noise", "blur", "contrast", "cast"))
    images = f"{config['images']} training images" if config["images"] else "all training images"
    facts = (
        f"{options.encoder}, {config['clip_epochs']} epochs of CLIP and {config['epochs']} of "
        f"adapting to {images}, {statistics.mean(minutes):.0f} minutes a seed in all; spoiled by "
        f"{spoiling}; {methods_table.machine()}. Mean and standard deviation over seeds "
        f"{', '.join(map(str, options.seeds))}."
    )
    lines = ["| | % |", "| --- | --- |"]
    for title in found[0]:
        shares = [100 * each[title] for each in found]
        spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
        lines.append(f"| {title} | {statistics.mean(shares):.1f}{spread} |")
    facts = textwrap.fill(facts, 108, break_on_hyphens=False)
    return "\n\n".join([f"    {command}", facts, "\n".join(lines)])


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
