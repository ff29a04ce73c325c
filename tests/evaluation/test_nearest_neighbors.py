import numpy as np
import pytest

from keras_ssl.evaluation import nearest_neighbors


@pytest.mark.parametrize("gallery_size", [40, 1000, 4001])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_nearest_neighbors_finds_the_k_most_similar_rows(rng, monkeypatch, gallery_size, k):
    monkeypatch.setattr(nearest_neighbors, "MAX_SIMILARITIES", 128 * 1500)
    gallery, queries = rng.normal(size=(gallery_size, 6)), rng.normal(size=(200, 6))
    cosine = queries @ gallery.T / np.linalg.norm(gallery, axis=1)
    cosine /= np.linalg.norm(queries, axis=1)[:, None]
    arrays = queries.astype("float32"), gallery.astype("float32")
    for rows, indices, similarities in nearest_neighbors.nearest_neighbors(*arrays, k):
        best = np.argsort(cosine[rows], axis=1)[:, -k:]
        np.testing.assert_array_equal(np.sort(indices, axis=1), np.sort(best, axis=1))
        expected = np.take_along_axis(cosine[rows], indices, 1)
        np.testing.assert_allclose(similarities, expected, atol=1e-6)
    assert rows.stop >= 200


@pytest.mark.parametrize("k", [1, 40])
def test_neighbors_on_a_device_are_those_of_numpy(rng, monkeypatch, k):
    monkeypatch.setattr(nearest_neighbors, "MAX_SIMILARITIES_ON_DEVICE", 64 * 1000)
    arrays = (rng.normal(size=(count, 6)).astype("float32") for count in (200, 1000))
    queries, gallery = arrays
    expected = nearest_neighbors.nearest_neighbors(queries, gallery, k)
    expected = np.concatenate([np.sort(indices, axis=1) for _, indices, _ in expected])
    for rows, indices, similarities in nearest_neighbors.neighbors_on_device(queries, gallery, k):
        np.testing.assert_array_equal(np.sort(indices, axis=1), expected[rows])
        norms = np.linalg.norm(queries[rows], axis=1)[:, None] * np.linalg.norm(gallery, axis=1)
        cosine = queries[rows] @ gallery.T / norms
        np.testing.assert_allclose(similarities, np.take_along_axis(cosine, indices, 1), atol=1e-6)
