"""lightly's views, for `views.py`: runs in an environment that has lightly and torch."""

import io
import os
import time

import numpy as np
import torch
from lightly import transforms
from peer import serve
from PIL import Image

LOADERS = {}

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


def answer(views, size, images, jpeg):
    """Returns images a second of one pass."""
    task = (views, size, images, jpeg)
    if task not in LOADERS:
        LOADERS.clear()  # its workers end
        LOADERS[task] = torch.utils.data.DataLoader(
            Images(images, size, jpeg, VIEWS[views](size)),
            batch_size=256 if size < 64 else 64,
            shuffle=True,
            num_workers=len(os.sched_getaffinity(0)),
            persistent_workers=True,
        )
        for _ in LOADERS[task]:  # the workers start
            pass
    began, count = time.perf_counter(), 0
    for made in LOADERS[task]:
        count += len(made[0])
    return count / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(answer)
