"""ReCLIP: a CLIP grows used to the images of a new domain, without labels."""

import keras
from keras import layers, ops

from keras_ssl import _internals, distribute, export
from keras_ssl.images import image_shape
from keras_ssl.layers import ema
from keras_ssl.models.vision_language.clip import CLIP, TEMPLATES
from keras_ssl.models.vision_language.reclip import label_propagation, relabel
from keras_ssl.models.vision_language.zero_shot import ZeroShotClassifier, check_names
from keras_ssl.numerics import as_float, cross_entropy, l2_normalize, mean, normalize_rows, one_hot
from keras_ssl.training.batch import LabeledBatch
from keras_ssl.training.fit import semi_supervised_inputs, sources
from keras_ssl.training.method import Method
from keras_ssl.validation import check_fraction, check_int

NORMS = (layers.LayerNormalization,), (layers.BatchNormalization, layers.GroupNormalization)


@keras.saving.register_keras_serializable("keras_ssl")
class ReCLIP(Method):
    """Adapts a trained CLIP to unlabeled images of another domain, whose classes have names.

    Choose it where a CLIP is to sort images unlike those it learned from (other cameras, drawings,
    noise) and none of them is labeled; the images it learned from are not needed. Each epoch gives
    every image a pseudo-label twice, by spreading the names' labels over a graph of num_neighbors, and
    trains two copies where the two agree: one by the scale and offset of its text encoder's layer
    norm, one by those of its image encoder's. Memory is two CLIPs, features of all images, and
    `N * num_neighbors` numbers.

    `fit` takes images `(B, H, W, C)`; labels beside them are read for the log alone.
    It logs `loss`, its parts `text_loss` and `image_loss`, `agreement` (the share of images whose
    two pseudo-labels agree) and, where labels are known, `pseudo_label_accuracy`. A safe start is
    SGD, learning rate 1e-3, momentum 0.9, weight decay 1e-4, batches of 64.

        model = keras_ssl.ReCLIP(clip, ["cat", "dog"], templates=["a photo of a {}."])
        model.compile(keras.optimizers.SGD(1e-3, momentum=0.9))
        model.fit(unlabeled_images, epochs=10)
        model.predict(images)  # logits (N, 2)

    Args:
        clip: A trained `CLIP`. It is copied, and stays as it is.
        class_names: Sequence of K >= 2 strings, all different.
        templates: Sequence of strings with `{}` in the place of the name.
        training_template: String likewise, the one phrase that is passed in training; None for the
            shortest of `templates`.
        project_text: Bool, whether pseudo-labels are found without the direction that all texts
            share.
        num_neighbors: Int >= 1, of each image in the graph; None for no graph: the nearest text is the
            pseudo-label.
        alpha: Float, at least 0 and below 1, how far labels spread on the graph.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If names or templates say nothing, a number is out of range, or a network of
            `clip` has no layer norm (nor batch or group norm, whose scale and offset are trained
            where there is none, with the statistics they have).
        TypeError: If an argument is of the wrong kind.

    Source:
        Hu et al. 2023, https://arxiv.org/abs/2308.03793, section 3 and the authors' code.
    """

    evaluation_logs = ("accuracy",)
    supports_mid_epoch_resume = False  # pseudo-labels are those of an epoch's beginning
    unpack_batch = staticmethod(lambda data: LabeledBatch(*data))
    unsupported_compile_args = {
        "loss": "it has a loss of its own",
        "loss_weights": "its two losses train two networks, each its own",
        "metrics": "`evaluate` logs `accuracy` by itself",
        "microbatches": "it trains on few images at a time",
        "weighted_metrics": "`evaluate` logs `accuracy` by itself",
    }

    def __init__(
        self,
        clip,
        class_names,
        *,
        templates=TEMPLATES,
        training_template=None,
        project_text=True,
        num_neighbors=20,
        alpha=0.99,
        **kwargs,
    ):
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
        if not isinstance(project_text, bool):
            raise TypeError(f"`project_text` must be a bool, received {project_text!r}.")
        if num_neighbors is not None:
            check_int(1, num_neighbors=num_neighbors)
        check_fraction(alpha=alpha)
        if alpha == 1:
            raise ValueError("`alpha` must be below 1: with 1 labels spread without end.")
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
        both = [side(images) for side in (self.text_classifier, self.image_classifier)]
        self.classifier = keras.Model(images, layers.Average()(both), name="classifier")
        self.data = None  # `relabel.AdaptationData` during `fit`

    @property
    def clip(self):
        """The copy whose text encoder is trained."""
        return self.text_copy

    @property
    def inference_model(self):
        """The mean of both copies' logits."""
        return self.classifier

    def fit_callbacks(self):
        """Labels all images at the start of each epoch."""
        return [relabel.Relabel(self)]

    def pseudo_labels(self, x, batch_size=256):
        """What both copies take images for at present; `fit` trains where they agree.

        Args:
            x: As in `fit`.
            batch_size: Int, images at a time of an array.

        Returns:
            Two int arrays `(N,)`, classes by the copy with trained text and by that with trained
            images.
        """
        return self.assign_pseudo_labels(
            relabel.encode_images(self, sources.open_source(x).image_batches(self, batch_size))
        )

    def export_encoder(self, path):
        """Writes a TensorFlow SavedModel of the image encoder that was trained.

        encoder = tf.saved_model.load(path)
        features = encoder.serve(images)  # uint8 0..255 to float32 (B, D), as those of its CLIP
        """
        export.write(self.image_copy.image_tower, path, verbose=False)

    def assign_pseudo_labels(self, seen):
        """Pseudo-labels by each copy of images that have been encoded, `relabel.Seen`."""
        found = []
        for copy, images in (
            (self.text_copy, seen.by_text_copy),
            (self.image_copy, seen.by_image_copy),
        ):
            text = copy.class_weights(self.class_names, self.templates)
            directions = label_propagation.text_directions(text) if self.project_text else None
            found.append(
                label_propagation.pseudo_labels(
                    text, images, directions, self.num_neighbors, self.alpha
                )
            )
        return tuple(found)

    def update_class_means(self, images, labels):
        """Lets the copy with trained images compare with the means of classes it has found."""
        before = normalize_rows(ops.convert_to_numpy(self.image_classifier.kernel).T)
        self._set_class_weights(
            self.image_classifier, label_propagation.centroids(images, labels, before)
        )

    def refresh_text_weights(self):
        """Lets the copy with trained text compare with what its text encoder says now."""
        weights = self.text_copy.class_weights(self.class_names, self.templates)
        self._set_class_weights(self.text_classifier, weights)

    def compute_losses(self, batch, training):
        """Cross-entropy of both copies where pseudo-labels agree; in evaluation, of their mean."""
        if not training:
            logits = distribute.all_gather(self.forward(self.classifier, batch.images, False))
            labels = ops.cast(distribute.all_gather(batch.labels), "int32")
            right = ops.equal(ops.cast(ops.argmax(logits, axis=1), "int32"), labels)
            accuracy = mean(ops.cast(right, logits.dtype))
            return {"loss": cross_entropy(logits, one_hot(labels, logits)), "accuracy": accuracy}
        text = l2_normalize(as_float(self.text_copy.text_tower(self.phrases, training=False)))
        images = l2_normalize(
            self.forward(self.text_copy.image_tower, batch.images, training=False)
        )
        by_text = ops.exp(self.text_copy.log_scale) * ops.matmul(images, ops.transpose(text))
        by_image = self.forward(self.image_classifier, batch.images, training=False)
        counts = ops.cast(batch.labels >= 0, by_text.dtype)
        every = ops.maximum(ops.sum(distribute.all_gather(counts)), 1.0)

        def loss(logits):
            targets = one_hot(batch.labels, logits)  # without a label: no class
            rows = -ops.sum(targets * ops.log_softmax(logits, axis=1), axis=1)
            return distribute.num_replicas() * ops.sum(rows) / every

        losses = {"text_loss": loss(by_text), "image_loss": loss(by_image)}
        return {"loss": losses["text_loss"] + losses["image_loss"], **losses}

    def evaluate(self, *args, **kwargs):
        """Returns the loss and the accuracy on images with labels; arguments as in Keras."""
        self.refresh_text_weights()
        return super().evaluate(*args, **kwargs)

    def _set_class_weights(self, side, weights):
        side.kernel.assign(ops.exp(self.text_copy.log_scale) * weights.T)

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
    """Lets the scale and offset of a network's layer norm be trained, and nothing else.

    Raises:
        ValueError: If it has none, nor batch or group norm.
    """
    for kinds in NORMS:
        found = [layer for layer in _internals.iter_layers(network) if isinstance(layer, kinds)]
        weights = [weight for layer in found for weight in (layer.gamma, layer.beta)]
        weights = [weight for weight in weights if weight is not None]
        for weight in weights:
            weight.trainable = True
        if weights:
            return
    raise ValueError(
        f"`clip` has no layer norm in its {name} encoder, nor batch or group norm: ReCLIP trains "
        "their scale and offset alone."
    )


def _class_weight_classifier(copy, weights):
    """A copy's classifier, compared with weights `(K, D)` of length 1."""
    side = ZeroShotClassifier(copy.image_tower, len(weights))
    side.kernel.trainable = False
    side.kernel.assign(ops.exp(copy.log_scale) * weights.T)
    return side
