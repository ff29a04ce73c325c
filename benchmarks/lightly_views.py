"""lightly's part of `views.py`, run in an environment with lightly and torch."""

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
    """Random images, as pixels or as JPEG."""

    def __init__(self, count, size, jpeg, transform):
        self.jpeg, self.transform = jpeg, transform
        pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), "uint8")
        self.images = [Image.fromarray(image) for image in pixels]
        if jpeg:
            self.images = [encode_jpeg(image) for image in self.images]

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        return self.transform(Image.open(io.BytesIO(image)) if self.jpeg else image)


def encode_jpeg(image):
    """Returns the bytes of an image as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=95)
    return file.getvalue()


def measure(views, size, images, jpeg):
    """Returns the images per second of one pass."""
    task = (views, size, images, jpeg)
    if task not in LOADERS:
        LOADERS.clear()  # stops the workers of the last task
        LOADERS[task] = torch.utils.data.DataLoader(
            Images(images, size, jpeg, VIEWS[views](size)),
            batch_size=256 if size < 64 else 64,
            shuffle=True,
            num_workers=len(os.sched_getaffinity(0)),
            persistent_workers=True,
        )
        for _ in LOADERS[task]:  # starts the workers
            pass
    start, count = time.perf_counter(), 0
    for batch in LOADERS[task]:
        count += len(batch[0])
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    serve(measure)
