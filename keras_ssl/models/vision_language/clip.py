"""CLIP: images next to their captions, far from those of others."""

import math

import keras
import numpy as np
from keras import layers, ops

from keras_ssl import distribute, export, losses, views
from keras_ssl.images import image_shape
from keras_ssl.models.vision_language.zero_shot import ZeroShotClassifier, check_names
from keras_ssl.numerics import l2_normalize, mean
from keras_ssl.training.image_text import ImageTextModel
from keras_ssl.validation import check_int, check_number, check_positive

TEMPLATES = ("a photo of a {}.",)


@keras.saving.register_keras_serializable("keras_ssl")
class CLIP(ImageTextModel):
    """Learns an encoder of images and one of text that meet in one space, from captions.

    Choose it where images come with words: classes need not be known, a new one is a new phrase.
    It wants many pairs and large batches, of which each caption is wrong for all images but its
    own: memory is both encoders and `B * B` similarities, less with `num_chunks`. `fit` takes `(images,
    captions)`, text or numbers of words, and logs `loss` and `logit_scale`. A safe start is AdamW,
    learning rate 1e-3 for small encoders, with warm-up and cosine decay.

        words = keras.layers.TextVectorization()
        words.adapt(captions)
        text_encoder = keras_ssl.encoders.text_transformer(words)
        model = keras_ssl.CLIP(image_encoder, text_encoder)
        model.compile(keras.optimizers.AdamW(1e-3))
        model.fit(images_and_captions, epochs=30)
        classifier = model.zero_shot(["cat", "dog"], templates=["a photo of a {}."])
        classifier.predict(images)  # logits (N, 2)

    `model(images)` and `predict` return what images are in the common space, `encode_text` what
    captions are. `encoder` is the image encoder alone, without the projection.

    Args:
        image_encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        text_encoder: Built `keras.Model` from int words `(B, T)`, filled up with 0, to `(B, E)`,
            what `encoders.text_transformer` returns.
        projection: Int, width of the common space; None where both encoders end in it already.
        temperature: Float > 0, what similarities are divided by at the start. It is learned.
        max_logit_scale: Float, what the inverse of the temperature is held below.
        num_chunks: Int >= 1, in how many parts similarities are computed, see `losses.clip`.
        tokenizer: What cuts captions into words, `keras.layers.TextVectorization` or a KerasHub
            tokenizer; None for the text encoder's own, or where captions come as numbers.
        views: Sequence of one view or more of each image; None for `views.clip` at the size of
            the images. The loss is the mean over them.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, or an encoder is not as described.
        TypeError: If an argument is of the wrong kind.

    Source:
        Radford et al. 2021, https://arxiv.org/abs/2103.00020, figure 3 and section 2.
    """

    def __init__(
        self,
        image_encoder,
        text_encoder,
        *,
        projection=128,
        temperature=0.07,
        max_logit_scale=100.0,
        num_chunks=1,
        **kwargs,
    ):
        check_number(temperature=temperature, max_logit_scale=max_logit_scale)
        check_positive(temperature=temperature, max_logit_scale=max_logit_scale)
        check_int(1, num_chunks=num_chunks)
        if projection is not None:
            check_int(1, projection=projection)
        super().__init__(image_encoder, text_encoder, **kwargs)
        if projection is None and self.text_width != self.feature_width:
            raise ValueError(
                "`projection=None` needs encoders that end in one space, and they return "
                f"{self.feature_width} and {self.text_width} numbers: pass a width."
            )
        self.projection = projection
        self.temperature = temperature
        self.max_logit_scale = max_logit_scale
        self.num_chunks = num_chunks
        images = keras.Input(image_shape(self.image_encoder), name="images")
        self.image_tower = _tower(images, self.image_encoder, projection, "image")
        words = keras.Input((None,), dtype="int32", name="words")
        self.text_tower = _tower(words, text_encoder, projection, "text")
        # An array: TensorFlow would round a bare number to float32 in a float64 model too.
        start = keras.initializers.Constant(np.log(np.array(1 / temperature)))
        self.log_scale = self.add_weight((), start, dtype=keras.config.floatx(), name="log_scale")
        self._clip_logit_scale()

    @property
    def inference_model(self):
        """The image encoder and its projection."""
        return self.image_tower

    def default_views(self, size):
        """`views.clip(size)`."""
        return views.clip(size)

    def compute_losses(self, batch, training):
        """Contrast of the images of all replicas with their captions."""
        scale = ops.exp(self.log_scale)
        text = distribute.all_gather(self.run_network(self.text_tower, batch.labels, training))
        total = 0.0
        for view in batch.views:
            image = distribute.all_gather(self.forward(self.image_tower, view, training))
            total += losses.clip(image, text, scale, self.num_chunks if training else 1)
        return {"loss": total / len(batch.views), "logit_scale": scale}

    def on_step_end(self):
        """Holds the scale below its largest value."""
        self._clip_logit_scale()

    def _clip_logit_scale(self):
        self.log_scale.assign(ops.minimum(self.log_scale, math.log(self.max_logit_scale)))

    def encode_text(self, captions, batch_size=256):
        """What captions are in the common space.

        Args:
            captions: Sequence of strings, or int array `(N, T)` of words.
            batch_size: Int, captions at a time.

        Returns:
            Float array `(N, projection)`, not normalized, as those of images are not.

        Raises:
            TypeError: If the captions are neither text nor numbers of words.
            ValueError: If a caption is empty.
        """
        words = self.tokenize(captions)
        parts = [
            ops.convert_to_numpy(self.text_tower(words[at : at + batch_size], training=False))
            for at in range(0, len(words), batch_size)
        ]
        return np.concatenate(parts)

    def zero_shot(self, class_names, templates=TEMPLATES):
        """Makes a classifier from the names of classes.

        Args:
            class_names: Sequence of K >= 2 strings, all different.
            templates: Sequence of strings with `{}` in the place of the name. The weights of a
                class are the normalized mean of the normalized encodings of all its phrases.

        Returns:
            A `keras.Model` from images to float32 logits `(B, K)`: scaled cosine similarities.

        Raises:
            TypeError: If names or templates are not sequences of strings.
            ValueError: If there are no names, a name is empty or repeated, or a template has no
                place for it.
        """
        weights = self.class_weights(class_names, templates)
        model = ZeroShotClassifier(self.image_tower, len(weights))
        model.kernel.assign(ops.exp(self.log_scale) * weights.T)
        return model

    def class_weights(self, class_names, templates=TEMPLATES):
        """What `zero_shot` compares images with, an array `(K, projection)` of length 1 each."""
        check_names(class_names, templates)
        phrases = [template.format(name) for name in class_names for template in templates]
        encoded = l2_normalize(self.encode_text(phrases))
        by_class = ops.reshape(encoded, (len(class_names), len(templates), -1))
        average = mean(by_class, axis=1)
        return ops.convert_to_numpy(l2_normalize(average))

    def export_encoder(self, path):
        """Writes two TensorFlow SavedModels, to the folders `image` and `text` in `path`.

            image, text = (tf.saved_model.load(f"{path}/{name}") for name in ("image", "text"))
            image.serve(images)  # uint8 0..255 to float32 (B, projection)
            text.serve(captions)  # strings, or words (B, T) without a tokenizer, to the same

        Neither keras_ssl nor Keras need be installed there; a KerasHub tokenizer needs
        tensorflow_text.
        """
        export.write(self.image_tower, f"{path}/image", verbose=False)
        to_words = None if self.tokenizer is None else self.tokenize_in_graph
        length = self.context_length
        export.write_text(self.text_tower, f"{path}/text", length, to_words, self.tokenizer)


def _tower(inputs, encoder, projection, name):
    """An encoder and what projects its features into the common space."""
    features = encoder(inputs)
    if projection is not None:
        drawn = keras.initializers.RandomNormal(stddev=features.shape[-1] ** -0.5)
        dense = layers.Dense(projection, use_bias=False, kernel_initializer=drawn)
        features = dense(features)
    as_float = layers.Identity(dtype=keras.config.floatx(), name="features")
    return keras.Model(inputs, as_float(features), name=name)
