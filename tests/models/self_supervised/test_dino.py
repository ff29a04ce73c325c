"""DINO: teacher, center, sharpening and prototypes that are frozen at first."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.DINO,
    settings={
        "projector": (16, 8),
        "prototypes": 12,
        "momentum": 0.75,
        "teacher_temperature": 0.05,
    },
    other_values={
        "prototypes": 8,
        "student_temperature": 0.2,
        "teacher_temperature": 0.07,
        "center_momentum": 0.5,
        "momentum": 0.5,
        "freeze_prototypes_steps": 2,
    },
    symmetric_in_views=True,
    on_workers=True,
    # The gradient overflows at first, on one of two replicas.
    half_precision=("mixed_float16",),
)


def scores(model, views, momentum=False):
    """Returns cosines of projections and prototypes, of the student or of the teacher."""
    layer = model.momentum_prototypes if momentum else model.prototypes
    z = model.project_together(views, True, momentum)
    return [unit(np.asarray(each)) @ unit(np.asarray(layer.kernel).T).T for each in z]


def dino(model, views, warm=0.1, cool=0.05):
    student, teacher = scores(model, views), scores(model, views[:2], momentum=True)
    center = np.asarray(model.center)
    targets = [references.softmax((t - center) / cool) for t in teacher]
    return references.mean_over_pairs(
        lambda s, t: references.cross_entropy(s / warm, t), student, targets
    )


def make(**kwargs):
    """Returns a model whose teacher and center differ from their initial values."""
    model, rng = checks.make("DINO", **kwargs), np.random.default_rng(1)
    for weight in model.momentum_prototypes.weights + model.momentum_encoder.trainable_weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    model.center.assign(rng.normal(0, 0.1, 12))
    return model


def test_dino_loss_is_the_cross_entropy_of_large_crops_and_all_other_crops(float64):
    model, views = make(), references.crops()
    expected = dino(model, views)
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_dino_teacher_sees_only_large_crops(float64, monkeypatch):
    model, seen = checks.make("DINO"), []
    features = model.features

    def spy(images, training, momentum=False):
        seen.extend([tuple(images.shape)] if momentum else [])
        return features(images, training, momentum)

    monkeypatch.setattr(model, "features", spy)
    model.compile("sgd", run_eagerly=True)
    model.compute_losses(keras_ssl.models.Batch(references.crops()), training=True)
    assert seen == [(32, 8, 8, 3)]


def test_dino_center_follows_the_mean_of_the_teacher_scores(float64):
    model, views = make(), references.crops()
    old = np.asarray(model.center).copy()
    mean = np.mean(scores(model, views[:2], momentum=True), axis=(0, 1))
    references.one_step(model, views)
    np.testing.assert_allclose(model.center, 0.9 * old + 0.1 * mean, atol=1e-12)


def test_dino_logs_the_entropy_of_the_sharpened_teacher_scores(float64):
    model, views = make(), references.crops()
    targets = [
        references.softmax((t - np.asarray(model.center)) / 0.05)
        for t in scores(model, views[:2], momentum=True)
    ]
    expected = np.mean([references.cross_entropy(np.log(t), t) for t in targets])
    found = references.one_step(model, views)["teacher_entropy"]
    assert found == pytest.approx(expected, rel=1e-10)


def test_dino_follows_a_schedule_of_the_teacher_temperature(float64):
    rising = keras.optimizers.schedules.PolynomialDecay(0.04, 2, 0.07)
    model, views = make(teacher_temperature=rising), checks.two_views(16)
    for cool in (0.04, 0.055, 0.07, 0.07):
        expected = dino(model, views, cool=cool)
        assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-6)


def test_dino_step_moves_the_teacher_prototypes_by_the_momentum(float64):
    model = make()  # 0.75
    old = np.asarray(model.momentum_prototypes.kernel).copy()
    references.one_step(model, checks.two_views(16))
    expected = 0.75 * old + 0.25 * np.asarray(model.prototypes.kernel)
    np.testing.assert_allclose(model.momentum_prototypes.kernel, expected, atol=1e-12)


def test_dino_prototypes_are_frozen_for_exactly_the_given_steps(float64):
    model, views = checks.make("DINO", freeze_prototypes_steps=2), checks.two_views(16)
    start, still = np.asarray(model.prototypes.kernel).copy(), []
    for _ in range(4):
        references.one_step(model, views, keras.optimizers.SGD(0.125, momentum=0.875))
        still.append(np.array_equal(model.prototypes.kernel, start))
    assert still == [True, True, False, False]


def test_dino_loss_ignores_the_length_of_the_prototypes(float64):
    model, views = checks.make("DINO"), checks.two_views(16)
    model.compile("sgd", run_eagerly=True)
    before = checks.evaluate(model, views)
    model.prototypes.kernel.assign(7.0 * model.prototypes.kernel)
    np.testing.assert_allclose(checks.evaluate(model, views), before, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("size", [4, 12])
def test_dino_rejects_crops_that_patches_do_not_divide_before_training(size):
    encoder = keras_ssl.encoders.vit((16, 16, 3), 8, 12, 1, 3)
    views = keras_ssl.views.dino((16, 16), small_size=size, small_crops=1)
    model = keras_ssl.DINO(encoder, views=views)
    model.compile("sgd", run_eagerly=True)
    images = np.zeros((8, 16, 16, 3), "uint8")
    message = f"views\\[2\\]` has images of {size} x {size} pixels.*multiples of 8"
    with pytest.raises(ValueError, match=message):
        model.fit(images, batch_size=4, verbose=0)
    with pytest.raises(ValueError, match="`x` has images of 4 x 4 pixels"):
        model.predict(images[:, :4, :4])
