"""FlexMatch: a threshold for each class and a memory of each image."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from method_spec import MethodSpec, with_classifier
from references import cross_entropy, masked, softmax

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.FlexMatch,
    networks=with_classifier,
    settings={"ema_momentum": 0.75, "threshold": 0.6, "num_unlabeled": 16},
    other_values={"unlabeled_weight": 0.5},
    covered_elsewhere=("ema_momentum", "num_unlabeled", "threshold"),
    invalid_values={"num_unlabeled": (0, -1, 2.0, True, "8")},
    views_of="FixMatch",
)


class Reference:
    """Equations 5 to 11 with a threshold of 0.6, image by image."""

    def __init__(self):
        self.taken_for = np.full(16, -1)

    def __call__(self, labeled, weak, strong, labels, step):
        counts = np.array([np.sum(self.taken_for == k) for k in range(4)])
        learned = counts / max(counts.max(), np.sum(self.taken_for == -1))
        thresholds = 0.6 * learned / (2 - learned)
        confidence, likeliest = softmax(weak).max(axis=1), weak.argmax(axis=1)
        mask = confidence >= thresholds[likeliest]
        unsupervised = masked(strong, np.eye(4)[likeliest], mask)
        for image in range(16):
            if confidence[image] >= 0.6:
                self.taken_for[image] = likeliest[image]
        return {
            "loss": cross_entropy(labeled, labels) + unsupervised,
            "mask_rate": mask.mean(),
            "threshold": thresholds.mean(),
        }


def test_flexmatch_matches_the_paper_step_by_step(float64):
    model, reference = checks.make("FlexMatch", threshold=0.6), Reference()
    references.follow(model, reference, steps=6)
    np.testing.assert_array_equal(model.selected_label, reference.taken_for)
    assert len(np.unique(reference.taken_for)) > 1


def data_of(count):
    import tensorflow as tf

    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype="uint8")
    both = tf.data.Dataset.from_tensor_slices((images, checks.labels(count)))
    flip = keras_ssl.views.RandomFlip()  # traced sooner than the default
    return keras_ssl.data.semi_supervised(both.take(8), both, 4, 2, weak=flip, strong=flip)


def test_flexmatch_reads_the_number_of_images_from_the_data_and_saves_its_memory(tmp_path):
    model = checks.make("FlexMatch", num_unlabeled=None, threshold=0.0)
    model.compile("sgd", run_eagerly=True)
    model.fit(data_of(16), verbose=0)
    assert model.num_unlabeled == 16
    assert np.all(np.asarray(model.selected_label) >= 0)
    model.save(tmp_path / "m.keras")
    loaded = keras_ssl.models.FlexMatch.from_config(model.get_config())
    loaded.load_weights(tmp_path / "m.keras")
    np.testing.assert_array_equal(loaded.selected_label, model.selected_label)
    with pytest.raises(ValueError, match="`num_unlabeled` is 16, but `x` has 24 unlabeled images"):
        model.fit(data_of(24), verbose=0)


def test_flexmatch_rejects_data_of_unknown_length():
    model = checks.make("FlexMatch", num_unlabeled=None)
    with pytest.raises(ValueError, match="`num_unlabeled` is None, and the number of unlabeled"):
        checks.train(model, checks.two_views(16))


def test_flexmatch_remembers_every_batch_under_gradient_accumulation():
    model = checks.make("FlexMatch", threshold=0.0)
    optimizer = keras.optimizers.SGD(0.0, gradient_accumulation_steps=4)
    checks.train(model, checks.two_views(16), batch_size=4, epochs=1, optimizer=optimizer)
    assert np.all(np.asarray(model.selected_label) >= 0)


def test_flexmatch_rejects_an_index_beyond_its_memory():
    model = checks.make("FlexMatch", num_unlabeled=10)
    with pytest.raises(ValueError, match=r"`x\['index'\]` must lie in 0..9"):
        checks.train(model, checks.two_views(16))
