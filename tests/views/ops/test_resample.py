import numpy as np

from keras_ssl.views.ops.resample import resample


def test_resample_multiplies_each_image_by_its_own_matrices(rng):
    images = rng.random((2, 4, 5, 3), "float32")
    rows, columns = rng.random((2, 6, 4), "float32"), rng.random((2, 7, 5), "float32")
    rows /= rows.sum(-1, keepdims=True)
    columns /= columns.sum(-1, keepdims=True)
    expected = np.einsum("bhH,bwW,bHWc->bhwc", *(x.astype(float) for x in (rows, columns, images)))
    np.testing.assert_allclose(resample(images, rows, columns), expected, atol=1e-6)


def test_resample_stays_in_0_to_1_despite_rounding():
    white = np.ones((1, 50, 50, 1), "float32")
    rows = np.full((1, 50, 50), np.float32(1 / 50) * np.float32(1 + 1e-6))
    assert np.asarray(resample(white, rows, rows)).max() == 1
