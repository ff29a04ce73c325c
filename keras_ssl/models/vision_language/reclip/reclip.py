"""ReCLIP."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_ssl import _internals, distribute, export
from keras_ssl._types import Dataset, PathLike, Tensor
from keras_ssl.images import image_shape
from keras_ssl.layers import ema
from keras_ssl.models.vision_language.clip import CLIP, TEMPLATES
from keras_ssl.models.vision_language.reclip import label_propagation, relabel
from keras_ssl.models.vision_language.zero_shot import ZeroShotClassifier, check_names
from keras_ssl.numerics import as_float, cross_entropy, l2_normalize, mean, normalize_rows, one_hot
from keras_ssl.training.batch import LabeledBatch
from keras_ssl.training.fit import semi_supervised_inputs, sources
from keras_ssl.training.method import Method
from keras_ssl.validation import check_bool, check_fraction, check_int

NORMS = (layers.LayerNormalization,), (layers.BatchNormalization, layers.GroupNormalization)


@keras.saving.register_keras_serializable("keras_ssl")
class ReCLIP(Method):
    """ReCLIP: source-free domain adaptation of a trained CLIP to unlabeled images.

    Use it when a CLIP classifies images unlike its training images (other cameras, drawings, noise)
    and none of them is labeled. The original training images are not needed. At the start of each
    epoch, two copies of the CLIP label all images by propagating the class names over a graph of
    nearest neighbors. Training uses the images on which both agree. One copy trains the scale and
    offset of the layer norms in its text encoder, the other those in its image encoder. Memory
    holds two CLIPs, the features of all images and `N * num_neighbors` floats. Each epoch encodes
    all images twice in addition to training.

    `fit` takes images `(B, H, W, C)`; labels are only used for the logs. It logs `loss`, its terms
    `text_loss` and `image_loss` (at least 0), `agreement` (the fraction of images on which both
    copies agree) and, if labels are known, `pseudo_label_accuracy`. A safe starting point is SGD
    with learning rate 1e-3, momentum 0.9, weight decay 1e-4 and a batch size of 64.

        clip = keras.saving.load_model("clip.keras")
        model = keras_ssl.ReCLIP(clip, ["cat", "dog"], templates=["a photo of a {}."])
        model.compile(keras.optimizers.SGD(1e-3, momentum=0.9, weight_decay=1e-4))
        model.fit(unlabeled_images, batch_size=64, epochs=10)
        model.predict(images)  # logits (N, 2)

    Args:
        clip: A trained `CLIP`. It is copied and not changed.
        class_names: Sequence of K >= 2 unique strings.
        templates: Sequence of strings with `{}` as a placeholder for the name.
        training_template: String with a placeholder, the only template used in training steps. None
            for the shortest of `templates`.
        project_text: Bool, whether to remove the direction shared by all class names before
            pseudo-labels are assigned.
        num_neighbors: Int >= 1, number of neighbors of each image in the graph. None to use the
            nearest class name as the pseudo-label, without a graph.
        alpha: Float, at least 0 and below 1. Higher values propagate labels further.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If names or templates are not as described, a number is out of range, or an
            encoder of `clip` has neither layer norm nor batch norm nor group norm. Without layer
            norm, the scale and offset of the others are trained, with frozen statistics.

    Source:
        Hu et al. 2023, https://arxiv.org/abs/2308.03793, section 3 and the authors' code.
    """

    evaluation_logs = ("accuracy",)
    supports_mid_epoch_resume = False  # pseudo-labels belong to the start of an epoch
    unsupported_compile_args = {
        "loss": "the method defines its own loss",
        "loss_weights": "each of its two losses trains another network",
        "metrics": "`evaluate` logs `accuracy` automatically",
        "microbatches": "only norms are trained, and batches are small",
        "views_on": "it makes no views",
        "weighted_metrics": "`evaluate` logs `accuracy` automatically",
    }

    def __init__(
        self,
        clip: CLIP,
        class_names: Sequence[str],
        *,
        templates: Sequence[str] = TEMPLATES,
        training_template: str | None = None,
        project_text: bool = True,
        num_neighbors: int | None = 20,
        alpha: float = 0.99,
        **kwargs,
    ) -> None:
        if not isinstance(clip, CLIP):
            raise TypeError(f"`clip` must be a keras_ssl.CLIP, received {type(clip).__name__}.")
        check_names(class_names, templates)
        if training_template is None:
            training_template = min(templates, key=len)
        elif not isinstance(training_template, str):
            raise TypeError(
                f"`training_template` must be a string or None, received {training_template!r}."
            )
        check_names(class_names, [training_template], "training_template")
        check_bool(project_text=project_text)
        if num_neighbors is not None:
            check_int(1, num_neighbors=num_neighbors)
        check_fraction(alpha=alpha)
        if alpha == 1:
            raise ValueError(
                "`alpha` must be below 1 for label propagation to converge, received 1."
            )
        super().__init__(**kwargs)
        self.class_names = list(class_names)
        self.num_classes = len(class_names)
        self.templates = list(templates)
        self.training_template = training_template
        self.project_text = project_text
        self.num_neighbors = num_neighbors
        self.alpha = alpha
        self.text_copy, self.image_copy = (ema.make_ema_copy(clip) for _ in range(2))
        train_norms(self.text_copy.text_tower, "text")
        train_norms(self.image_copy.image_tower, "image")
        self.phrases = clip.tokenize([training_template.format(name) for name in class_names])
        weights = clip.class_weights(class_names, templates)
        self.text_classifier, self.image_classifier = (
            _class_weight_classifier(copy, weights) for copy in (self.text_copy, self.image_copy)
        )
        images = keras.Input(image_shape(clip.image_tower), name="images")
        logits = [self.text_classifier(images), self.image_classifier(images)]
        self.classifier = keras.Model(images, layers.Average()(logits), name="classifier")
        self.data = None  # `relabel.AdaptationData` during `fit`

    @property
    def clip(self) -> CLIP:
        """The copy whose text encoder is trained."""
        return self.text_copy

    @property
    def inference_model(self) -> keras.Model:
        """The classifier that averages the logits of both copies."""
        return self.classifier

    def unpack_batch(self, data: Any) -> LabeledBatch:
        """Returns images with the pseudo-labels of the epoch, or with labels in evaluation."""
        return LabeledBatch(*data)

    def fit_callbacks(self) -> list[keras.callbacks.Callback]:
        """Returns the callback that labels all images at the start of each epoch."""
        return [relabel.Relabel(self)]

    def pseudo_labels(
        self, x: Dataset | np.ndarray, batch_size: int = 256
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the current pseudo-labels of both copies. `fit` trains where they agree.

        Args:
            x: Images, as in `fit`.
            batch_size: Int, number of images per batch if `x` is an array.

        Returns:
            Pair of int arrays `(N,)`: the classes from the copy with the trained text encoder and
            from the copy with the trained image encoder.
        """
        return self.assign_pseudo_labels(
            relabel.encode_images(self, sources.open_source(x).image_batches(self, batch_size))
        )

    def export_encoder(self, path: PathLike) -> None:
        """Writes a TensorFlow SavedModel of the trained image encoder with its projection.

            encoder = tf.saved_model.load(path)
            features = encoder.serve(images)  # uint8 0..255 to float32 (B, projection)

        Loading it requires neither keras_ssl nor Keras.
        """
        export.write(self.image_copy.image_tower, path, verbose=False)

    def assign_pseudo_labels(self, encoded: relabel.EncodedImages) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pseudo-labels of each copy for encoded images."""

        def assign(copy, images):
            text = copy.class_weights(self.class_names, self.templates)
            directions = label_propagation.text_directions(text) if self.project_text else None
            return label_propagation.pseudo_labels(
                text, images, directions, self.num_neighbors, self.alpha
            )

        by_text = assign(self.text_copy, encoded.by_text_copy)
        return by_text, assign(self.image_copy, encoded.by_image_copy)

    def update_class_means(self, images: np.ndarray, labels: np.ndarray) -> None:
        """Sets the image classifier's weights to the mean embedding of each class.

        Args:
            images: `(N, D)`, unit-length embeddings from the copy with the trained image encoder.
            labels: Int array `(N,)`, their pseudo-labels. A class without images keeps its weights.
        """
        previous = normalize_rows(ops.convert_to_numpy(self.image_classifier.kernel).T)
        centroids = label_propagation.centroids(images, labels, previous)
        self._set_class_weights(self.image_classifier, centroids)

    def refresh_text_weights(self) -> None:
        """Sets the text classifier's weights to the current output of its text encoder."""
        weights = self.text_copy.class_weights(self.class_names, self.templates)
        self._set_class_weights(self.text_classifier, weights)

    def compute_losses(self, batch: LabeledBatch, training: bool) -> dict[str, Tensor]:
        """Returns the cross-entropy of both copies where their pseudo-labels agree.

        In evaluation, returns the cross-entropy and the accuracy of their averaged logits.
        """
        if not training:
            logits = distribute.all_gather(self.forward(self.classifier, batch.images, False))
            labels = ops.cast(distribute.all_gather(batch.labels), "int32")
            is_correct = ops.equal(ops.cast(ops.argmax(logits, axis=1), "int32"), labels)
            accuracy = mean(ops.cast(is_correct, logits.dtype))
            return {"loss": cross_entropy(logits, one_hot(labels, logits)), "accuracy": accuracy}
        text = l2_normalize(as_float(self.text_copy.text_tower(self.phrases, training=False)))
        images = l2_normalize(
            self.forward(self.text_copy.image_tower, batch.images, training=False)
        )
        by_text = ops.exp(self.text_copy.log_scale) * ops.matmul(images, ops.transpose(text))
        by_image = self.forward(self.image_classifier, batch.images, training=False)
        is_labeled = ops.cast(batch.labels >= 0, by_text.dtype)
        num_labeled = ops.maximum(ops.sum(distribute.all_gather(is_labeled)), 1.0)

        def loss(logits):
            targets = one_hot(batch.labels, logits)  # images without a label have a row of zeros
            cross_entropies = -ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1)
            return distribute.num_replicas() * ops.sum(cross_entropies) / num_labeled

        losses = {"text_loss": loss(by_text), "image_loss": loss(by_image)}
        return {"loss": losses["text_loss"] + losses["image_loss"], **losses}

    def evaluate(self, *args, **kwargs):
        """Returns the loss and the accuracy on labeled images. Arguments as in Keras."""
        self.refresh_text_weights()
        return super().evaluate(*args, **kwargs)

    def _set_class_weights(self, classifier, weights):
        classifier.kernel.assign(ops.exp(self.text_copy.log_scale) * weights.T)

    def _prepare_training(self, source, plan):
        if plan.steps_per_epoch is not None:
            raise ValueError(
                "`steps_per_epoch` is not supported by ReCLIP: each epoch relabels all images and "
                "trains on all of them."
            )
        return relabel.prepare_training(self, source, plan)

    def _prepare_evaluation(self, source, batch_size):
        return semi_supervised_inputs.prepare_evaluation(self, source, batch_size)

    def _on_run_begin(self, train, steps):
        self.data = train.info

    def _loss_names(self, first):
        return ["loss", "text_loss", "image_loss", "accuracy"]


def train_norms(network, name):
    """Makes the scale and offset of a network's layer norms trainable, and nothing else.

    Raises:
        ValueError: If it has neither layer norm nor batch norm nor group norm.
    """
    for kinds in NORMS:
        norms = [layer for layer in _internals.iter_layers(network) if isinstance(layer, kinds)]
        weights = [weight for layer in norms for weight in (layer.gamma, layer.beta)]
        weights = [weight for weight in weights if weight is not None]
        for weight in weights:
            weight.trainable = True
        if weights:
            return
    raise ValueError(
        f"`clip` has neither layer norm nor batch or group norm in its {name} encoder, and ReCLIP "
        "trains only their scale and offset."
    )


def _class_weight_classifier(copy, weights):
    """Returns a copy's classifier with class weights `(K, D)` of unit length."""
    classifier = ZeroShotClassifier(copy.image_tower, len(weights))
    classifier.kernel.trainable = False
    classifier.kernel.assign(ops.exp(copy.log_scale) * weights.T)
    return classifier
