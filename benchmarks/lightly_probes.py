"""lightly's probes, for `probes.py`: runs in an environment that has lightly and torch."""

import resource
import time

import numpy as np
import torch
from lightly.utils.benchmarking import knn_predict
from lightly.utils.scheduler import CosineWarmupScheduler
from peer import serve


def answer(probe, file):
    """Returns seconds, accuracy and the memory of this process so far."""
    arrays = np.load(file).values()
    train, train_labels, test, test_labels = (torch.from_numpy(array) for array in arrays)
    began = time.perf_counter()
    told = {"knn": knn, "linear": linear}[probe](train, train_labels, test)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "accuracy": float((told == test_labels).float().mean()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def knn(train, train_labels, test):
    """Classes by weighted kNN, as lightly's `KNNClassifier` asks for them."""
    bank = torch.nn.functional.normalize(train, dim=1).t().contiguous()
    queries = torch.nn.functional.normalize(test, dim=1)
    classes, k = int(train_labels.max()) + 1, min(200, len(train))
    told = [
        knn_predict(part, bank, train_labels, classes, knn_k=k)[:, 0] for part in queries.split(256)
    ]
    return torch.cat(told)


def linear(train, train_labels, test, epochs=90, batch=256):
    """Classes by a linear layer, trained with the settings of lightly's `LinearClassifier`."""
    torch.manual_seed(0)
    head = torch.nn.Linear(train.shape[1], int(train_labels.max()) + 1)
    optimizer = torch.optim.SGD(head.parameters(), 0.1 * batch / 256, momentum=0.9)
    schedule = CosineWarmupScheduler(optimizer, 0, epochs * (len(train) // batch))
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(batch)[: len(train) // batch]:
            optimizer.zero_grad()
            loss_of(head(train[rows]), train_labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return head(test).argmax(1)


if __name__ == "__main__":
    serve(answer)
