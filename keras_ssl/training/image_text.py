"""The base class of methods that learn from images with captions."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_ssl._types import Tensor, Views
from keras_ssl.data import captions as text
from keras_ssl.encoders import tokenizers
from keras_ssl.encoders.interface import (
    check_encoder,
    check_text_encoder,
    context_length,
    feature_width,
)
from keras_ssl.encoders.keras_hub import with_pooling
from keras_ssl.training.batch import Batch
from keras_ssl.training.fit import device_views
from keras_ssl.training.method import Method
from keras_ssl.validation import check_view_sequence


class ImageTextModel(Method):
    """Base class of methods that train an image encoder and a text encoder on captioned images.

    `fit` takes `(images, captions)`: a dataset, or two arrays. Captions are strings, or token ids
    `(B, T)`. Strings are tokenized in the data pipeline. `compute_losses` receives a
    `keras_ssl.models.Batch` whose `labels` are the token ids.

    Args:
        image_encoder: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to `(B, D)`.
        text_encoder: Built `keras.Model` from int token ids `(B, T)`, padded with 0, to `(B, E)`.
        tokenizer: `keras.layers.TextVectorization` or KerasHub tokenizer; None for the text
            encoder's own, or if captions are token ids.
        views: Sequence of one or more views of each image; None for the method's own.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        ValueError: If an encoder is not as described.
        TypeError: If an argument has the wrong type.
    """

    allows_small_crops = False
    min_views = 1
    num_masks = 0
    target_kind: str | None = "caption"
    unsupported_compile_args = {
        "loss": "the method defines its own loss",
        "loss_weights": "use the method's own arguments to weight the terms",
        "metrics": "there are no targets to compare with; see keras_ssl.callbacks.KNNProbe",
        "weighted_metrics": "there are no targets to compare with",
    }

    def __init__(
        self,
        image_encoder: keras.Model,
        text_encoder: keras.Model,
        *,
        tokenizer: keras.Layer | None = None,
        views: Views | None = None,
        seed: int = 0,
        **kwargs,
    ):
        image_encoder = with_pooling(image_encoder)
        check_encoder(image_encoder, "image_encoder")
        text_width = check_text_encoder(text_encoder)
        check_view_sequence(views, self.min_views)
        super().__init__(seed=seed, **kwargs)
        self.image_encoder = image_encoder
        self.text_encoder = text_encoder
        self.views = None if views is None else tuple(views)
        self.feature_width = feature_width(image_encoder)
        self.text_width = text_width
        if tokenizer is not None:
            tokenizers.vocabulary_size(tokenizer, "tokenizer")
        tokenizers.attach_tokenizer(self, tokenizer or getattr(text_encoder, "tokenizer", None))
        self.context_length = context_length(text_encoder)
        self._warned_of_truncation: list[int] = []  # filled by the first warning

    @property
    def encoder(self) -> keras.Model:
        """The image encoder, without a projection."""
        return self.image_encoder

    def default_views(self, size: tuple[int, int]) -> Views:
        """Returns the paper's views of images of `size` `(height, width)`."""
        raise NotImplementedError(f"{type(self).__name__} has no default views. Pass `views=`.")

    def unpack_batch(self, data: Any) -> Batch:
        """Returns the batch in the data of a step, after making its views if necessary."""
        return device_views.unpack_batch(self, data)

    def check_targets(self, token_ids: np.ndarray) -> None:
        """Raises ValueError unless token ids are ints `(B, T)`."""
        if token_ids.ndim != 2 or token_ids.dtype.kind not in "iu":
            raise ValueError(
                f"{type(self).__name__} needs a caption for each image, strings or int token ids "
                f"(B, T); received shape {token_ids.shape} and dtype {token_ids.dtype}."
            )

    def tokenize(self, captions: Sequence[str] | Tensor) -> np.ndarray:
        """Returns the token ids of captions, int32 `(N, T)`, as the text encoder takes them.

        Args:
            captions: Sequence of strings, or int array `(N, any)` of token ids.
        """
        return text.encode(
            captions, self.tokenizer, self.context_length, self._warned_of_truncation
        )

    def tokenize_in_graph(self, captions: Tensor) -> Tensor:
        """As `tokenize`, of a string tensor `(B,)` inside a TensorFlow function."""
        return text.pad_or_truncate(text.tokenize(captions, self.tokenizer), self.context_length)

    def _prepare_training(self, source, plan):
        return self._tokenized(source).prepare_training(self, plan)

    def _prepare_evaluation(self, source, batch_size):
        return self._tokenized(source).prepare_evaluation(self, batch_size)

    def _tokenized(self, source):
        def tokenize(num_images, captions):
            text.check_lengths(num_images, captions)
            return self.tokenize(captions)

        def tokenize_dataset(dataset):
            return text.tokenize_dataset(
                dataset, self.tokenizer, self.context_length, self._warned_of_truncation
            )

        return source.tokenized(tokenize, tokenize_dataset)
