"""lightly's views, for `views.py`: runs in an environment that has lightly and torch.

Reads tasks, a line of JSON each, and answers with images a second.
"""

import io
import json
import os
import sys
import time

import numpy as np
import torch
from lightly import transforms
from PIL import Image

VIEWS = {
    "simclr": lambda size: transforms.SimCLRTransform(input_size=size),
    "simclr_sharp": lambda size: transforms.SimCLRTransform(input_size=size, gaussian_blur=0.0),
    "byol": lambda size: transforms.BYOLTransform(
        transforms.BYOLView1Transform(input_size=size),
        transforms.BYOLView2Transform(input_size=size),
    ),
    "dino": lambda size: transforms.DINOTransform(global_crop_size=size),
}


class Images(torch.utils.data.Dataset):
    """Random images, decoded or as JPEG."""

    def __init__(self, count, size, jpeg, transform):
        random, self.jpeg, self.transform = np.random.default_rng(0), jpeg, transform
        pixels = random.integers(0, 256, (count, size, size, 3), "uint8")
        self.images = [Image.fromarray(each) for each in pixels]
        if jpeg:
            self.images = [encoded(image) for image in self.images]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        return self.transform(Image.open(io.BytesIO(image)) if self.jpeg else image)


def encoded(image):
    """An image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def main():
    """Answers until there are no more tasks."""
    loaders = {}
    for line in sys.stdin:
        if line not in loaders:
            task = json.loads(line)
            size = task["size"]
            images = Images(task["images"], size, task["jpeg"], VIEWS[task["views"]](size))
            loaders = {
                line: torch.utils.data.DataLoader(
                    images,
                    batch_size=256 if size < 64 else 64,
                    shuffle=True,
                    num_workers=len(os.sched_getaffinity(0)),
                    persistent_workers=True,
                )
            }
            for _ in loaders[line]:  # the workers start
                pass
        began, count = time.perf_counter(), 0
        for views in loaders[line]:
            count += len(views[0])
        print(json.dumps(count / (time.perf_counter() - began)), flush=True)


if __name__ == "__main__":
    main()
