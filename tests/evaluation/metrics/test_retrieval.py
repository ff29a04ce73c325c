import numpy as np
import pytest

from keras_ssl.evaluation import recall_at_k

RNG = np.random.default_rng(0)
GALLERY = RNG.normal(size=(30, 5))
QUERIES = GALLERY + RNG.normal(size=(30, 5))


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 3, 30, 99])
def test_recall_is_the_fraction_of_queries_with_an_answer_among_the_nearest(k):
    nearest = np.argsort(-unit(QUERIES) @ unit(GALLERY).T, axis=1)[:, :k]
    expected = np.mean([i in row for i, row in enumerate(nearest)])
    assert recall_at_k(QUERIES, 7 * GALLERY, k) == pytest.approx(expected)
    groups = np.array(["a", "b", "c"])[np.arange(30) % 3]
    expected = np.mean([np.any(row % 3 == i % 3) for i, row in enumerate(nearest)])
    assert recall_at_k(QUERIES, GALLERY, k, groups) == pytest.approx(expected)


def test_recall_rejects_bad_arguments():
    with pytest.raises(ValueError, match="`queries` and `gallery` must have the same shape"):
        recall_at_k(QUERIES, GALLERY[:4])
    with pytest.raises(ValueError, match="`k` must be at least 1"):
        recall_at_k(QUERIES, GALLERY, 0)
    with pytest.raises(ValueError, match=r"`groups` must be 30 ints or strings.* shape \(2,\)"):
        recall_at_k(QUERIES, GALLERY, 1, ["a", "b"])
