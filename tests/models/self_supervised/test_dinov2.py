"""DINOv2: its three terms, its views and its layer decay."""

import keras
import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import NEGATIVE, NOT_A_BOOL, NOT_A_FRACTION, SCHEDULE, MethodSpec, vit
from references import softmax

import keras_ssl

SETTINGS = {
    "projector": (16, 8),
    "prototypes": 12,
    "momentum": 0.75,
    "teacher_temperature": 0.2,
}
SPECS = {
    "DINOv2": MethodSpec(
        keras_ssl.DINOv2,
        networks=vit("token"),
        settings=SETTINGS,
        other_values={
            "prototypes": 8,
            "shared_head": True,
            "student_temperature": 0.2,
            "teacher_temperature": 0.1,
            "centering": "running_mean",
            "momentum": 0.5,
            "patch_weight": 0.5,
            "koleo_weight": 0.5,
            "layer_decay": 0.5,
            "freeze_prototypes_steps": 2,
        },
        invalid_values={
            "centering": ("mean", None, True, 1),
            "koleo_weight": (*NEGATIVE, None, SCHEDULE),
            "layer_decay": (*NOT_A_FRACTION, SCHEDULE, 0),
            "patch_weight": (*NEGATIVE, None, SCHEDULE),
            "shared_head": NOT_A_BOOL,
        },
        half_precision=("mixed_bfloat16",),
    ),
    "DINOv2 centered": MethodSpec(
        keras_ssl.DINOv2,
        networks=vit("mean"),
        settings={**SETTINGS, "shared_head": True, "centering": "running_mean"},
        other_values={"center_momentum": 0.5},
        views_of="DINOv2",
    ),
}

NAMES = ("DINOv2", "DINOv2 centered")


class Reference:
    """The terms from class tokens and patches, with scores and centering in NumPy."""

    def __init__(self, model):
        self.model, self.center, self.patch_center = model, np.zeros(12), np.zeros(12)

    def scores(self, tokens, kind):
        projected = getattr(self.model, f"{kind}projector")(tokens.reshape(-1, 8))
        kernel = np.asarray(getattr(self.model, f"{kind}prototypes").kernel)
        scores = unit(np.asarray(projected)) @ unit(kernel.T).T
        return scores.reshape(*tokens.shape[:-1], -1)

    def assign(self, scores, center, weights=None):
        """Returns three iterations of Sinkhorn on the selected rows, or a centered softmax."""
        if self.model.centering == "running_mean":
            return softmax((scores - center) / 0.2)
        rows = np.ones(len(scores), bool) if weights is None else weights
        q = np.exp(scores[rows] / 0.2)
        for _ in range(3):
            q /= q.sum(axis=0, keepdims=True)
            q /= q.sum(axis=1, keepdims=True)
        found = np.full(scores.shape, np.nan)
        found[rows] = q
        return found

    def terms(self, large, masks):
        model = self.model
        student = [
            model.encoder.tokens(x, mask=m, mask_token=model.mask_token)
            for x, m in zip(large, masks, strict=True)
        ]
        teacher = [model.momentum_encoder.tokens(x) for x in large]
        patch = "" if model.shared_head else "patch_"
        s = [self.scores(np.asarray(x.class_token), "") for x in student]
        t = [self.scores(np.asarray(x.class_token), "momentum_") for x in teacher]
        targets = self.assign(np.concatenate(t), self.center)
        targets = np.split(targets, 2)
        dino = np.mean(
            [-np.mean(np.sum(targets[1 - i] * np.log(softmax(s[i] / 0.1)), 1)) for i in (0, 1)]
        )
        s_patches = np.concatenate([self.scores(np.asarray(x.patches), patch) for x in student])
        t_patches = [self.scores(np.asarray(x.patches), f"momentum_{patch}") for x in teacher]
        t_patches, mask = np.concatenate(t_patches), np.concatenate(masks)
        targets = self.assign(t_patches.reshape(-1, 12), self.patch_center, mask.ravel())
        targets = targets.reshape(t_patches.shape)
        logs = np.log(softmax(s_patches.reshape(-1, 12) / 0.1)).reshape(s_patches.shape)
        costs = [
            -np.mean(np.sum(targets[i][m] * logs[i][m], axis=1)) if m.any() else 0.0
            for i, m in enumerate(mask)
        ]
        koleo = 0.0
        for each in student:
            rows = unit(np.asarray(each.class_token))
            distances = np.linalg.norm(rows[:, None] - rows[None], axis=2) + 9 * np.eye(len(rows))
            koleo -= np.mean(np.log(distances.min(axis=1)))
        self.center = 0.9 * self.center + 0.1 * np.concatenate(t).mean(axis=0)
        self.patch_center = 0.9 * self.patch_center + 0.1 * t_patches[mask].mean(axis=0)
        return {"dino": dino, "ibot": np.mean(costs), "koleo": koleo}


@pytest.mark.parametrize("name", NAMES)
def test_dinov2_terms_match_the_papers_step_by_step(name, float64):
    model, views = checks.make(name), checks.two_views(16)
    reference = Reference(model)
    first, second, *masks = checks.with_masks(model, views)
    for _ in range(3):
        expected = reference.terms((first, second), masks)
        found = references.one_step(model, views)
        for term, value in expected.items():
            assert found[term] == pytest.approx(value, rel=1e-6), term
        total = expected["dino"] + expected["ibot"] + 0.1 * expected["koleo"]
        assert found["loss"] == pytest.approx(total, rel=1e-6)
    if model.centering == "running_mean":
        np.testing.assert_allclose(model.center, reference.center, atol=1e-9)
        np.testing.assert_allclose(model.patch_center, reference.patch_center, atol=1e-9)


def test_dinov2_koleo_leaves_out_small_crops(float64):
    model = checks.make("DINOv2")
    first, second, *masks = checks.with_masks(model, checks.two_views(16))
    small = checks.two_views(16, seed=3)[0][:, :4, :4]

    def koleo(*small_crops):
        batch = keras_ssl.models.Batch((first, second, *small_crops, *masks))
        return float(model.compute_losses(batch, training=False)["koleo"])

    assert koleo(small) == pytest.approx(koleo(), rel=1e-9)


@pytest.mark.slow
def test_dinov2_accepts_small_crops_and_images_without_a_mask():
    model = checks.make("DINOv2", views=keras_ssl.views.dinov2(8, 2, small_crops=2))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype="uint8")
    history = model.fit(images, batch_size=8, epochs=2, verbose=0).history
    assert all(np.all(np.isfinite(values)) for values in history.values())


def test_dinov2_default_views_are_crops_of_whole_patches_and_two_masks():
    made = keras_ssl.views.dinov2(20, 4, small_crops=3)
    images = np.zeros((5, 20, 20, 3), "uint8")
    shapes = [tuple(view(images, (0, i)).shape) for i, view in enumerate(made)]
    assert shapes == [(5, 20, 20, 3)] * 2 + [(5, 8, 8, 3)] * 3 + [(5, 25)] * 2
    with pytest.raises(ValueError, match=r"`small_size` must be a multiple of `patch_size`"):
        keras_ssl.views.dinov2(20, 4, small_size=10)
    with pytest.raises(ValueError, match=r"`size` must be a multiple of `patch_size`"):
        keras_ssl.views.dinov2(18, 4)


@pytest.mark.slow
@pytest.mark.parametrize("scheduled", [False, True], ids=["number", "schedule"])
def test_dinov2_layer_decay_lowers_the_learning_rate_of_early_blocks(scheduled, float64, tmp_path):
    def after(**kwargs):
        model = checks.make("DINOv2", koleo_weight=0.0, **kwargs)
        before = {id(w): w.numpy() for w in model.trainable_weights}
        rate = 0.125
        if scheduled:
            rate = keras.optimizers.schedules.PolynomialDecay(0.125, 10, end_learning_rate=0.0625)
        checks.train(model, checks.two_views(16), epochs=1, optimizer=keras.optimizers.SGD(rate))
        return model, {w.path: w.numpy() - before[id(w)] for w in model.trainable_weights}

    plain, moved = after()
    model, slowed = after(layer_decay=0.5)
    first, block = model.encoder.weights_by_depth()
    factors = {w.path: 0.25 for w in (*first, model.mask_token)} | {w.path: 0.5 for w in block}
    pairs = zip(model.trainable_weights, plain.trainable_weights, strict=True)
    for own, other in pairs:
        factor = factors.get(own.path, 1.0)
        np.testing.assert_allclose(
            slowed[own.path], factor * moved[other.path], atol=1e-12, err_msg=own.path
        )
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    expected, found = (
        checks.train(each, checks.two_views(seed=5))["loss"] for each in (model, loaded)
    )
    assert found == pytest.approx(expected, rel=1e-12)
