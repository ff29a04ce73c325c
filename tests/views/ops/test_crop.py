import math

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from keras_ssl.views import Compose, RandomFlip, RandomResizedCrop
from keras_ssl.views.ops import crop

SEED = (3, 4)


def torchvision_box(height, width, scale, ratio, rng):
    """RandomResizedCrop.get_params of torchvision 0.20 with NumPy's random numbers."""
    for _ in range(10):
        area = height * width * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w
    if width / height < min(ratio):
        w, h = width, round(width / min(ratio))
    elif width / height > max(ratio):
        w, h = round(height * max(ratio)), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


def draw_boxes(view, batch, size):
    return np.stack(view.draw_boxes(np.zeros((batch, *size, 1), "float32"), SEED), axis=1).astype(
        float
    )


@pytest.mark.parametrize(
    ("size", "scale", "ratio"),
    [
        ((32, 32), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((50, 200), (0.08, 1.0), (3 / 4, 4 / 3)),  # wide: most large boxes do not fit
        ((90, 40), (0.5, 1.0), (1 / 3, 3.0)),
    ],
)
def test_boxes_have_the_distribution_of_torchvision(size, scale, ratio):
    boxes = draw_boxes(RandomResizedCrop(8, scale, ratio), 3000, size)
    rng = np.random.default_rng(0)
    expected = np.array([torchvision_box(*size, scale, ratio, rng) for _ in range(3000)])

    def statistics(boxes):
        top, left, height, width = boxes.T
        yield height * width
        yield width / height
        yield top / np.maximum(size[0] - height, 1)
        yield left / np.maximum(size[1] - width, 1)

    for ours, theirs in zip(statistics(boxes), statistics(expected), strict=True):
        assert stats.ks_2samp(ours, theirs, method="asymp").pvalue > 0.01


def test_boxes_are_whole_pixels_inside_the_image_within_scale_and_ratio():
    top, left, height, width = draw_boxes(RandomResizedCrop(8), 3000, (64, 64)).T
    assert np.all(draw_boxes(RandomResizedCrop(8), 3000, (64, 64)) % 1 == 0)
    assert top.min() == left.min() == 0
    assert (top + height).max() == (left + width).max() == 64
    # Sides are rounded by up to half a pixel.
    assert np.all((height + 0.5) * (width + 0.5) >= 0.08 * 64 * 64)
    assert np.all((width - 0.5) / (height + 0.5) <= 4 / 3)
    assert np.all((width + 0.5) / (height - 0.5) >= 3 / 4)


def test_the_box_is_the_first_of_ten_attempts_that_fits():
    view, size = RandomResizedCrop(8, (0.5, 1.0), (0.5, 2.0)), (30, 50)
    draws = np.asarray(view.uniform(np.zeros((500, *size, 1)), SEED, 22), float)
    boxes = draw_boxes(view, 500, size)
    attempts = []
    for box, draw in zip(boxes, draws, strict=True):
        for attempt in range(10):
            area = (0.5 + 0.5 * draw[attempt]) * 30 * 50
            aspect = math.exp(math.log(0.5) + math.log(4) * draw[10 + attempt])
            h, w = round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect))
            if h <= 30 and w <= 50:
                attempts.append(attempt)
                expected = int(draw[20] * (31 - h)), int(draw[21] * (51 - w)), h, w
                break
        else:
            attempts.append(10)
            expected = 0, 0, 30, 50
        np.testing.assert_array_equal(box, expected)
    assert {*attempts} >= {0, 1, 2, 3, 10}


@pytest.mark.parametrize(
    ("size", "ratio", "box"),
    [
        ((4, 101), (1, 2), (0, 46, 4, 8)),  # too wide: full height, the largest ratio
        ((100, 5), (0.5, 1), (45, 0, 10, 5)),  # too tall: full width, the smallest ratio
        ((1, 90), (3 / 4, 4 / 3), (0, 44, 1, 1)),
    ],
)
def test_if_no_box_fits_it_is_the_largest_central_one(size, ratio, box):
    boxes = draw_boxes(RandomResizedCrop(8, (1, 1), ratio), 3, size)
    np.testing.assert_array_equal(boxes, [box] * 3)


@pytest.mark.parametrize("max_pixels", [0, 10**9], ids=["per image", "matrices"])
@pytest.mark.parametrize("size", [(9, 14), (60, 50)], ids=["down", "up"])
def test_crops_are_equal_to_pil(size, max_pixels, monkeypatch):
    monkeypatch.setattr(crop, "MAX_MATRIX_PIXELS", max_pixels)
    images = np.random.default_rng(0).random((12, 40, 30, 3), "float32")
    view = RandomResizedCrop(size)
    results = np.asarray(view(images, SEED))
    for result, image, box in zip(results, images, draw_boxes(view, 12, (40, 30)), strict=True):
        top, left, height, width = box
        for channel in range(3):
            # Mode F: a channel of floats, which PIL does not round to bytes.
            part = Image.fromarray(image[:, :, channel])
            part = part.crop((left, top, left + width, top + height))
            expected = np.asarray(part.resize(size[::-1], Image.Resampling.BILINEAR))
            np.testing.assert_allclose(result[:, :, channel], expected, atol=5e-6)


def test_a_crop_of_the_full_image_at_its_own_size_changes_nothing(rng):
    images = rng.random((2, 16, 16, 4), "float32")
    results = RandomResizedCrop(16, (1, 1), (1, 1))(images, SEED)
    np.testing.assert_allclose(results, images, atol=1e-6)


@pytest.mark.parametrize("max_pixels", [0, 10**9], ids=["per image", "matrices"])
@pytest.mark.parametrize("size", [9, 60], ids=["down", "up"])
def test_crops_of_uint8_are_equal_to_crops_of_floats(size, max_pixels, monkeypatch):
    monkeypatch.setattr(crop, "MAX_MATRIX_PIXELS", max_pixels)
    images = np.random.default_rng(0).integers(0, 256, (6, 20, 30, 4), "uint8")
    view = Compose([RandomResizedCrop(size), RandomFlip()])
    results = np.asarray(view(images, SEED))
    np.testing.assert_allclose(results, view(images / np.float32(255), SEED), atol=1e-6)
    assert results.max() <= 1


class Darker(RandomResizedCrop):
    def transform(self, images, seed):
        return super().transform(images * 0.5, seed)


class Inverted(Compose):
    def transform(self, images, seed):
        return 1 - super().transform(images, seed)


def test_a_subclass_with_its_own_transform_receives_floats():
    images = np.full((2, 16, 16, 3), 255, "uint8")
    assert np.allclose(Darker(8)(images, SEED), 0.5)
    assert np.allclose(Compose([Darker(8)])(images, SEED), 0.5)
    assert np.allclose(Inverted([RandomResizedCrop(8)])(images, SEED), 0, atol=1e-6)
