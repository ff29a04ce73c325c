import numpy as np
import pytest

from keras_ssl import evaluation

RNG = np.random.default_rng(0)
MEMORY = RNG.normal(size=(30, 5))
QUERIES = MEMORY + RNG.normal(size=(30, 5))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 3, 30, 99])
def test_recall_is_the_share_with_a_right_one_among_the_nearest(k):
    near = np.argsort(-unit(QUERIES) @ unit(MEMORY).T, axis=1)[:, :k]
    expected = np.mean([i in row for i, row in enumerate(near)])
    assert evaluation.recall_at_k(QUERIES, 7 * MEMORY, k) == pytest.approx(expected)
    same = np.array(["a", "b", "c"])[np.arange(30) % 3]
    expected = np.mean([np.any(row % 3 == i % 3) for i, row in enumerate(near)])
    assert evaluation.recall_at_k(QUERIES, MEMORY, k, same) == pytest.approx(expected)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="`queries` and `memory` must be of one shape"):
        evaluation.recall_at_k(QUERIES, MEMORY[:4])
    with pytest.raises(ValueError, match="`k`"):
        evaluation.recall_at_k(QUERIES, MEMORY, 0)
    with pytest.raises(ValueError, match="`groups` has 2 labels for 30 rows"):
        evaluation.recall_at_k(QUERIES, MEMORY, 1, ["a", "b"])


def test_the_similarity_matrix_is_drawn_and_returned(tmp_path):
    images = RNG.integers(0, 256, (30, 8, 8, 3), dtype="uint8")
    found = evaluation.plots.plot_similarity_matrix(
        (images, QUERIES), MEMORY[:4], ["a", "b", "c", "d"], tmp_path / "a.png"
    )
    np.testing.assert_allclose(found, unit(MEMORY[:4]) @ unit(QUERIES).T, atol=1e-6)
    assert (tmp_path / "a.png").stat().st_size > 0
