import numpy as np

from keras_ssl.evaluation.plots import plot_similarity_matrix


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_plot_similarity_matrix_plots_and_returns_cosine_similarities(tmp_path, rng):
    images = rng.integers(0, 256, (30, 8, 8, 3), dtype="uint8")
    encodings, texts = rng.normal(size=(30, 5)), rng.normal(size=(4, 5))
    path = tmp_path / "similarity.png"
    similarity = plot_similarity_matrix((images, encodings), texts, ["a", "b", "c", "d"], path)
    np.testing.assert_allclose(similarity, unit(texts) @ unit(encodings).T, atol=1e-6)
    assert path.stat().st_size > 0
