"""Label propagation of ReCLIP, compared with dense closed forms."""

import numpy as np
import pytest
from scipy import sparse

from keras_ssl.models.vision_language.reclip import label_propagation

RNG = np.random.default_rng(0)
TEXT = label_propagation.normalize_rows(RNG.normal(size=(4, 12)) + 2.0)  # all share a direction
IMAGES = label_propagation.normalize_rows(TEXT[np.arange(40) % 4] + 0.3 * RNG.normal(size=(40, 12)))


def dense_graph(points, num_neighbors):
    """Returns the normalized graph of the paper, row by row."""
    count = len(points)
    affinity = np.zeros((count, count))
    for i in range(count):
        found = [((points[i] @ points[j] + 1) / 2, j) for j in range(count) if j != i]
        for value, j in sorted(found, reverse=True)[:num_neighbors]:
            affinity[i, j] = value
    affinity = (affinity + affinity.T) / 2
    degree = np.diag(affinity.sum(axis=1) ** -0.5)
    return degree @ affinity @ degree


def test_projection_removes_the_first_direction_and_the_complement_of_the_texts():
    directions = label_propagation.text_directions(TEXT)
    u, _, _ = np.linalg.svd(TEXT.T)
    expected = u[:, 1:4] @ u[:, 1:4].T
    np.testing.assert_allclose(directions @ directions.T, expected, atol=1e-12)
    np.testing.assert_allclose(u[:, 0] @ directions, 0, atol=1e-12)


@pytest.mark.parametrize(("classes", "kept"), [(300, 299), (501, 249)])
def test_projection_keeps_fewer_directions_for_many_classes(classes, kept):
    text = np.random.default_rng(1).normal(size=(classes, 600))
    assert label_propagation.text_directions(text).shape == (600, kept)


@pytest.mark.parametrize("num_neighbors", [1, 5, 60])
def test_graph_matches_the_paper(num_neighbors):
    points = np.concatenate([TEXT, IMAGES])
    graph = label_propagation.neighbor_graph(points, num_neighbors)
    np.testing.assert_allclose(graph.toarray(), dense_graph(points, num_neighbors), atol=1e-6)


def test_graph_does_not_depend_on_the_chunk_size(monkeypatch):
    whole = label_propagation.neighbor_graph(IMAGES, 5).toarray()
    monkeypatch.setattr(label_propagation, "CHUNK_SIZE", 7)
    np.testing.assert_allclose(
        label_propagation.neighbor_graph(IMAGES, 5).toarray(), whole, atol=1e-7
    )


def test_propagated_labels_match_the_closed_form():
    graph = dense_graph(np.concatenate([TEXT, IMAGES]), 5)
    known = np.eye(44)[:, :4]
    closed = np.linalg.solve(np.eye(44) - 0.9 * graph, known)[4:]
    labels, scores = label_propagation.propagate(sparse.csr_array(graph), 4, alpha=0.9)
    np.testing.assert_array_equal(labels, closed.argmax(axis=1))
    np.testing.assert_allclose(scores, closed.max(axis=1), rtol=1e-4)


def test_propagation_follows_neighbors_where_the_nearest_text_is_wrong():
    # Two moons of images: each end is next to the other's text.
    along = np.linspace(0, np.pi, 30)
    upper = np.stack([np.cos(along), np.sin(along), np.full(30, 3.0)], axis=1)
    lower = np.stack([1 - np.cos(along), 0.4 - np.sin(along), np.full(30, 3.0)], axis=1)
    images = label_propagation.normalize_rows(np.concatenate([upper, lower]))
    text, truth = images[[0, 59]], np.repeat([0, 1], 30)
    near = label_propagation.pseudo_labels(text, images, num_neighbors=None)
    spread = label_propagation.pseudo_labels(text, images, num_neighbors=4)
    assert np.mean(spread == truth) == 1.0
    assert np.mean(near == truth) < 0.9


def test_without_a_graph_the_label_is_the_nearest_projected_text():
    directions = label_propagation.text_directions(TEXT)
    project = directions @ directions.T
    similar = (
        label_propagation.normalize_rows(IMAGES @ project)
        @ label_propagation.normalize_rows(TEXT @ project).T
    )
    found = label_propagation.pseudo_labels(TEXT, IMAGES, directions, num_neighbors=None)
    np.testing.assert_array_equal(found, similar.argmax(axis=1))


def test_class_without_images_keeps_its_mean():
    labels = np.where(np.arange(40) % 4 == 2, 0, np.arange(40) % 4)
    found = label_propagation.centroids(IMAGES, labels, TEXT)
    np.testing.assert_array_equal(found[2], TEXT[2])
    mean = IMAGES[labels == 3].mean(axis=0)
    np.testing.assert_allclose(found[3], mean / np.linalg.norm(mean))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
