"""lightly's probes for `probes.py`. Runs in an environment with lightly and torch."""

import resource
import time

import numpy as np
import torch
from lightly.utils.benchmarking import knn_predict
from lightly.utils.scheduler import CosineWarmupScheduler
from peer import serve


def run_probe(probe, file):
    """Returns the seconds and accuracy of a probe, and the peak memory of this process."""
    arrays = np.load(file).values()
    train, train_labels, test, test_labels = (torch.from_numpy(array) for array in arrays)
    predict = {"knn": predict_by_knn, "linear": predict_by_linear_probe}[probe]
    start = time.perf_counter()
    predictions = predict(train, train_labels, test)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "accuracy": float((predictions == test_labels).float().mean()),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def predict_by_knn(train, train_labels, test):
    """Predicts classes by weighted kNN, as lightly's `KNNClassifier` does."""
    bank = torch.nn.functional.normalize(train, dim=1).t().contiguous()
    queries = torch.nn.functional.normalize(test, dim=1)
    classes, k = int(train_labels.max()) + 1, min(200, len(train))
    predictions = [
        knn_predict(chunk, bank, train_labels, classes, knn_k=k)[:, 0]
        for chunk in queries.split(256)
    ]
    return torch.cat(predictions)


def predict_by_linear_probe(train, train_labels, test, epochs=90, batch=256):
    """Predicts classes by a linear layer, trained as lightly's `LinearClassifier`."""
    torch.manual_seed(0)
    head = torch.nn.Linear(train.shape[1], int(train_labels.max()) + 1)
    optimizer = torch.optim.SGD(head.parameters(), 0.1 * batch / 256, momentum=0.9)
    schedule = CosineWarmupScheduler(optimizer, 0, epochs * (len(train) // batch))
    cross_entropy = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        for rows in torch.randperm(len(train)).split(batch)[: len(train) // batch]:
            optimizer.zero_grad()
            cross_entropy(head(train[rows]), train_labels[rows]).backward()
            optimizer.step()
            schedule.step()
    return head(test).argmax(1)


if __name__ == "__main__":
    serve(run_probe)
