"""CLIP."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from keras_ssl import distribute, export, losses, views
from keras_ssl._types import PathLike, Size, Tensor, Views
from keras_ssl.images import image_shape
from keras_ssl.models.vision_language.zero_shot import ZeroShotClassifier, check_names
from keras_ssl.numerics import l2_normalize, mean
from keras_ssl.training.batch import Batch
from keras_ssl.training.image_text import ImageTextModel
from keras_ssl.validation import check_int, check_positive_number

TEMPLATES = ("a photo of a {}.",)


@keras.saving.register_keras_serializable("keras_ssl")
class CLIP(ImageTextModel):
    """CLIP: image and text encoders with a shared embedding space.

    Use it when images come with text. Classes need not be known in advance: a new class is a new
    phrase. It needs many pairs and large batches, because every other caption in the batch is a
    negative. A step runs the image encoder on one view of each image and the text encoder on each
    caption. Memory holds both encoders and B x B similarities; `num_chunks` reduces the latter.

    `fit` takes `(images, captions)`, with captions as strings or token ids. It logs `loss`, which
    is at least 0 and starts at about log(B), and `logit_scale`, the inverse of the learned
    temperature. A safe starting point for small encoders is AdamW with learning rate 1e-3, warm-up
    and cosine decay.

        tokenizer = keras.layers.TextVectorization()
        tokenizer.adapt(captions)
        image_encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4)
        text_encoder = keras_ssl.encoders.text_transformer(tokenizer)
        model = keras_ssl.CLIP(image_encoder, text_encoder)
        model.compile(keras.optimizers.AdamW(1e-3))
        model.fit(images, captions, batch_size=256, epochs=30)
        classifier = model.zero_shot(["cat", "dog"], templates=["a photo of a {}."])
        classifier.predict(images)  # logits (N, 2)

    `model(images)` and `predict` return the embeddings of images in the shared space, `encode_text`
    those of captions. `encoder` is the image encoder without the projection.

    Args:
        image_encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to features
            `(B, D)`.
        text_encoder: Built `keras.Model` from int token ids `(B, T)`, padded with 0, to features
            `(B, E)`, such as `encoders.text_transformer` returns.
        projection: Int >= 1, width of the shared space. None if both encoders already end in it.
        temperature: Float > 0, initial temperature of the similarities. It is learned.
        max_logit_scale: Float > 0, upper limit of the inverse of the temperature.
        num_chunks: Int >= 1, number of chunks in which the similarities are computed. See
            `losses.clip`.
        tokenizer: `keras.layers.TextVectorization` or a KerasHub tokenizer. None for the tokenizer
            of the text encoder, or if captions are token ids.
        views: Sequence of one or more views of each image. None for `views.clip` at the size of the
            images. With more than one view, the loss is the mean over views.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or an encoder is not as described.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3 and section 2.
    """

    def __init__(
        self,
        image_encoder: keras.Model,
        text_encoder: keras.Model,
        *,
        projection: int | None = 128,
        temperature: float = 0.07,
        max_logit_scale: float = 100.0,
        num_chunks: int = 1,
        **kwargs,
    ) -> None:
        check_positive_number(temperature=temperature, max_logit_scale=max_logit_scale)
        check_int(1, num_chunks=num_chunks)
        if projection is not None:
            check_int(1, projection=projection)
        super().__init__(image_encoder, text_encoder, **kwargs)
        if projection is None and self.text_width != self.feature_width:
            raise ValueError(
                "`projection=None` requires encoders with the same output width; received "
                f"{self.feature_width} and {self.text_width}. Pass a width."
            )
        self.projection = projection
        self.temperature = temperature
        self.max_logit_scale = max_logit_scale
        self.num_chunks = num_chunks
        images = keras.Input(image_shape(self.image_encoder), name="images")
        self.image_tower = _tower(images, self.image_encoder, projection, "image")
        token_ids = keras.Input((None,), dtype="int32", name="token_ids")
        self.text_tower = _tower(token_ids, text_encoder, projection, "text")
        # An array: TensorFlow would round a Python number to float32, also in a float64 model.
        initial = keras.initializers.Constant(np.log(np.array(1 / temperature)))
        self.log_scale = self.add_weight((), initial, dtype=keras.config.floatx(), name="log_scale")
        self._clip_logit_scale()

    @property
    def inference_model(self) -> keras.Model:
        """The image encoder with its projection."""
        return self.image_tower

    def default_views(self, size: Size) -> Views:
        return views.clip(size)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the contrastive loss of images and captions over the full batch."""
        scale = ops.exp(self.log_scale)
        text = distribute.all_gather(self.run_network(self.text_tower, batch.labels, training))
        total = 0.0
        for view in batch.views:
            image = distribute.all_gather(self.forward(self.image_tower, view, training))
            total += losses.clip(image, text, scale, self.num_chunks if training else 1)
        return {"loss": total / len(batch.views), "logit_scale": scale}

    def on_step_end(self) -> None:
        """Limits the logit scale to `max_logit_scale`."""
        self._clip_logit_scale()

    def _clip_logit_scale(self):
        self.log_scale.assign(ops.minimum(self.log_scale, math.log(self.max_logit_scale)))

    def encode_text(self, captions: Sequence[str] | Tensor, batch_size: int = 256) -> np.ndarray:
        """Returns the embeddings of captions in the shared space.

        Args:
            captions: Sequence of strings, or int array `(N, T)` of token ids.
            batch_size: Int, number of captions per batch.

        Returns:
            Float array `(N, projection)`, not normalized, like the embeddings of images.

        Raises:
            TypeError: If the captions are neither strings nor token ids.
            ValueError: If a caption is empty.
        """
        token_ids = self.tokenize(captions)
        batches = [
            token_ids[start : start + batch_size] for start in range(0, len(token_ids), batch_size)
        ]
        return np.concatenate(
            [ops.convert_to_numpy(self.text_tower(batch, training=False)) for batch in batches]
        )

    def zero_shot(
        self, class_names: Sequence[str], templates: Sequence[str] = TEMPLATES
    ) -> ZeroShotClassifier:
        """Builds a classifier from class names.

        Args:
            class_names: Sequence of K >= 2 unique strings.
            templates: Sequence of strings with `{}` as a placeholder for the name. The weights of a
                class are the normalized mean of the normalized embeddings of all its phrases.

        Returns:
            A `keras.Model` from images to float32 logits `(B, K)`: scaled cosine similarities.

        Raises:
            TypeError: If names or templates are not sequences of strings.
            ValueError: If there are fewer than two names, a name is empty or repeated, or a
                template has no placeholder.
        """
        weights = self.class_weights(class_names, templates)
        model = ZeroShotClassifier(self.image_tower, len(weights))
        model.kernel.assign(ops.exp(self.log_scale) * weights.T)
        return model

    def class_weights(
        self, class_names: Sequence[str], templates: Sequence[str] = TEMPLATES
    ) -> np.ndarray:
        """Returns the unit-length weights of each class, `(K, projection)`. See `zero_shot`."""
        check_names(class_names, templates)
        phrases = [template.format(name) for name in class_names for template in templates]
        embeddings = l2_normalize(self.encode_text(phrases))
        embeddings = ops.reshape(embeddings, (len(class_names), len(templates), -1))
        return ops.convert_to_numpy(l2_normalize(mean(embeddings, axis=1)))

    def export_encoder(self, path: PathLike) -> None:
        """Writes two TensorFlow SavedModels, to the directories `image` and `text` in `path`.

            image, text = (tf.saved_model.load(f"{path}/{name}") for name in ("image", "text"))
            image.serve(images)  # uint8 0..255 to float32 (B, projection)
            text.serve(captions)  # strings, or token ids (B, T) without a tokenizer

        Loading them requires neither keras_ssl nor Keras. A KerasHub tokenizer requires
        tensorflow_text.
        """
        export.write(self.image_tower, f"{path}/image", verbose=False)
        tokenize = None if self.tokenizer is None else self.tokenize_in_graph
        length = self.context_length
        export.write_text(self.text_tower, f"{path}/text", length, tokenize, self.tokenizer)


def _tower(inputs, encoder, projection, name):
    """Returns an encoder with its projection into the shared space."""
    features = encoder(inputs)
    if projection is not None:
        initializer = keras.initializers.RandomNormal(stddev=features.shape[-1] ** -0.5)
        dense = layers.Dense(projection, use_bias=False, kernel_initializer=initializer)
        features = dense(features)
    cast = layers.Identity(dtype=keras.config.floatx(), name="features")
    return keras.Model(inputs, cast(features), name=name)
