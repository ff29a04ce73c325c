"""Training steps in PyTorch with the heads and losses of lightly, for `throughput.py`, `card.py`.

Runs in an environment with lightly and torch. The networks are those of torchvision, channels
last, with the CIFAR stem for images of 32 pixels, as in keras_ssl.
"""

import contextlib
import copy
import time

import torch
import torchvision
from lightly import loss as losses
from lightly.models.modules import heads
from lightly.models.utils import update_momentum
from peer import serve
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PROTOTYPES = 4096
MODELS = {}  # the compiled model of the last task


def encoder(name, size):
    """Returns a network from images to pooled features, and their width."""
    network = getattr(torchvision.models, name)()
    width = network.fc.in_features
    network.fc = nn.Identity()
    if size < 64:
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return network, width


class Method(nn.Module):
    """A method of lightly, from views to its loss."""

    def __init__(self, method, network, width):
        super().__init__()
        self.method, self.network = method, network
        self.prediction = None
        if method == "SimCLR":
            self.projection = heads.SimCLRProjectionHead(width, 512, 128, batch_norm=False)
            self.loss = losses.NTXentLoss(temperature=0.5)
        elif method == "SimSiam":
            self.projection = heads.SimSiamProjectionHead(width, 2048, 2048)
            self.prediction = heads.SimSiamPredictionHead(2048, 512, 2048)
            self.loss = losses.NegativeCosineSimilarity()
        elif method == "BarlowTwins":
            self.projection = heads.BarlowTwinsProjectionHead(width, 2048, 2048)
            self.loss = losses.BarlowTwinsLoss()
        elif method == "VICReg":
            self.projection = heads.VICRegProjectionHead(width, 2048, 2048)
            self.loss = losses.VICRegLoss()
        elif method == "BYOL":
            self.projection = heads.BYOLProjectionHead(width, 4096, 256)
            self.prediction = heads.BYOLPredictionHead(256, 4096, 256)
            self.loss = losses.NegativeCosineSimilarity()
        else:
            self.projection = heads.DINOProjectionHead(width, 2048, 256, PROTOTYPES)
            self.loss = losses.DINOLoss(PROTOTYPES)
        self.teacher = None
        if method in ("BYOL", "DINO"):
            # deepcopy fails for weight_norm, so build a new head and load the weights
            self.teacher = nn.ModuleList(
                [copy.deepcopy(network), type(self.projection)(*SIZES[method](width))]
            )
            self.teacher[1].load_state_dict(self.projection.state_dict())
            self.teacher.requires_grad_(False)

    def forward(self, views):
        """Returns the loss. Each view has its own forward pass, as in the examples of lightly."""
        z = [self.projection(self.network(view)) for view in views]
        with torch.no_grad():
            targets = self.teacher and [self.teacher[1](self.teacher[0](view)) for view in views]
        if self.method == "DINO":
            return self.loss(targets, z)
        if self.prediction is None:
            return self.loss(*z)
        p = [self.prediction(projection) for projection in z]
        targets = targets or [projection.detach() for projection in z]
        return (self.loss(p[0], targets[1]) + self.loss(p[1], targets[0])) / 2

    def update(self):
        """Updates the teacher, if there is one."""
        if self.teacher is not None:
            update_momentum(self.network, self.teacher[0], 0.996)
            update_momentum(self.projection, self.teacher[1], 0.996)


SIZES = {
    "BYOL": lambda width: (width, 4096, 256),
    "DINO": lambda width: (width, 2048, 256, PROTOTYPES),
}


def answer(method, encoder_name, size, batch, steps, half, compiled):
    """Returns the seconds per step, and the peak memory on a GPU, after warming up a new task."""
    task = (method, encoder_name, size, batch, half, compiled)
    if task not in MODELS:
        MODELS.clear()
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        torch.manual_seed(0)
        model = Method(method, *encoder(encoder_name, size)).to(DEVICE)
        model = model.to(memory_format=torch.channels_last).train()
        optimizer = torch.optim.SGD(
            [weight for weight in model.parameters() if weight.requires_grad], 0.01, momentum=0.9
        )
        views = [
            torch.rand(batch, 3, size, size, device=DEVICE).to(memory_format=torch.channels_last)
            for _ in range(2)
        ]
        MODELS[task] = model, torch.compile(model) if compiled else model, optimizer, views
        run(*MODELS[task], half, 3 if compiled else 1)
    return {
        "seconds": run(*MODELS[task], half, steps),
        "peak_mib": torch.cuda.max_memory_allocated() / 2**20 if DEVICE == "cuda" else None,
        "device": device(),
        "torch": torch.__version__,
    }


def run(model, forward, optimizer, views, half, steps):
    """Runs steps and returns the seconds per step."""
    cast = torch.autocast(DEVICE, torch.bfloat16) if half else contextlib.nullcontext()
    wait()
    start_time = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        with cast:
            loss = forward(views)
        loss.backward()
        optimizer.step()
        model.update()
    wait()
    return (time.perf_counter() - start_time) / steps


def wait():
    """Waits for the GPU, if there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def device():
    """Returns the name of the GPU, or "cpu"."""
    return torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"


if __name__ == "__main__":
    if DEVICE == "cuda":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.benchmark = True
    serve(answer)
