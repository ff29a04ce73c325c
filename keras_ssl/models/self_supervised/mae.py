"""MAE."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_ssl import layers, losses, views
from keras_ssl._types import Size, Tensor, Views
from keras_ssl.encoders.interface import check_vision_transformer
from keras_ssl.numerics import as_float
from keras_ssl.training.batch import Batch
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_bool, check_fraction

EPSILON = 1e-6  # added to the variance of pixels, as in `losses.mae`


@keras.saving.register_keras_serializable("keras_ssl")
class MAE(SelfSupervisedModel):
    """MAE: reconstruct the 75 % of patches that are masked, with a vision transformer.

    Use it for large transformers and long runs, and when you fine-tune the encoder afterwards.
    Without fine-tuning, its kNN and linear probe accuracies are lower than those of contrastive
    methods. No color augmentation is needed; crop and flip are enough. The encoder processes only
    the visible quarter of the patches, so a step costs less than half of supervised training.
    Memory holds one encoder and a small decoder. Any batch size works.

    `fit` logs `loss`, which is at least 0 and starts at about 1, the variance of normalized pixels.
    Lower is better. A safe starting point is AdamW with learning rate 1.5e-4 * B / 256, weight
    decay 0.05, warm-up and cosine decay. Use the mean of the patches as the feature:
    `encoders.vit(..., pooling="mean")`.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, pooling="mean")
        model = keras_ssl.MAE(encoder)
        model.compile(keras.optimizers.AdamW(1.5e-4, weight_decay=0.05))
        model.fit(images, batch_size=256, epochs=100)

    Args:
        encoder: Vision transformer from `encoders.vit`.
        decoder: Tuple of three ints >= 1: width, number of transformer blocks and number of
            attention heads, which must divide the width.
        mask_ratio: Float in 0..1, fraction of patches that are masked. At least one patch must be
            masked and one visible.
        normalize: Bool, whether the target pixels of each patch are normalized.
        views: Sequence of an image view and a mask view, `views.RandomMask` with the same ratio.
            None for `views.mae` at the size of the images. Ready views have the same structure.
        seed: Int. See `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`, as in `keras.Model`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a number is out of range, or the encoder is not as described. In `fit`, if
            `mask_ratio` would mask all patches or none.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, sections 3 and 4.
    """

    num_masks = 1
    unsupported_compile_args = {
        **SelfSupervisedModel.unsupported_compile_args,
        "microbatches": "MAE encodes the visible patches of the full batch at once",
    }

    def __init__(
        self,
        encoder: keras.Model,
        *,
        decoder: tuple[int, int, int] = (128, 2, 4),
        mask_ratio: float = 0.75,
        normalize: bool = True,
        **kwargs,
    ) -> None:
        check_vision_transformer(encoder)
        _check_decoder(decoder)
        check_fraction(mask_ratio=mask_ratio)
        check_bool(normalize=normalize)
        super().__init__(encoder, **kwargs)
        self.decoder = tuple(decoder)
        self.mask_ratio = mask_ratio
        self.normalize = normalize
        patch_size = encoder.patch_size
        height, width, channels = encoder.image_shape
        grid = (height // patch_size, width // patch_size)
        self.patch_decoder = layers.PatchDecoder(*decoder, grid, patch_size**2 * channels)
        self.patch_decoder.build((None, None, self.feature_width))

    def default_views(self, size: Size) -> Views:
        return views.mae(size, self.encoder.patch_size, self.mask_ratio)

    def compute_losses(self, batch: Batch, training: bool) -> dict[str, Tensor]:
        """Returns the reconstruction loss of the masked patches.

        Nothing is gathered: each image has the same number of masked patches, so the mean over
        replicas is the mean over the full batch.
        """
        images, mask = batch.views
        if images.shape[0] == 0:  # a replica without an image of the last batch, run eagerly
            return {"loss": ops.zeros((), keras.config.floatx())}
        predicted = self.predict_patches(images, mask, training)
        return {"loss": losses.mae(predicted, self.patchify(images), mask, self.normalize)}

    def patchify(self, images: Tensor) -> Tensor:
        """Splits images `(B, H, W, C)` into patches `(B, N, P)` in row-major order."""
        grid = self.encoder.patchify(images)
        return ops.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3]))

    def predict_patches(self, images: Tensor, mask: Tensor, training: bool = False) -> Tensor:
        """Returns the decoder's predictions `(B, N, P)` for all patches.

        Args:
            images: Float images `(B, H, W, C)` in 0..1.
            mask: Bool or float `(B, N)`, 1 for masked patches. Each image must have the same
                number of masked patches.
            training: Bool.
        """
        num_patches = mask.shape[1]
        num_visible = num_patches - int(self.mask_ratio * num_patches)
        mask = ops.cast(mask, "int32")
        # Visible patches first, each group in row-major order.
        order = ops.argsort(mask * num_patches + ops.arange(num_patches, dtype="int32"), axis=1)
        tokens = self.encoder.tokens(images, training, keep=order[:, :num_visible])
        grid = tuple(side // self.encoder.patch_size for side in images.shape[1:3])
        return as_float(
            self.patch_decoder(
                tokens.patches,
                class_token=tokens.class_token,
                order=order,
                grid=grid,
                training=training,
            )
        )

    def reconstruct(self, images: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructs images for visualization.

        Args:
            images: Float images `(B, H, W, C)` in 0..1.
            mask: Bool or float `(B, N)`, 1 for masked patches. `views.RandomMask` draws one.

        Returns:
            Pair of arrays `(B, H, W, C)`: the images with gray masked patches, and the images with
            reconstructed masked patches. If `normalize`, each patch is rescaled to the mean and
            variance it has in the original image, so its contrast is not predicted.
        """
        patches = as_float(self.patchify(images))
        predicted = self.predict_patches(images, mask)
        if self.normalize:
            num_pixels = patches.shape[-1]
            mean = ops.sum(patches, axis=-1, keepdims=True) / num_pixels
            squares = ops.square(patches - mean)
            variance = ops.sum(squares, axis=-1, keepdims=True) / (num_pixels - 1)
            predicted = predicted * ops.sqrt(variance + EPSILON) + mean
        mask = ops.cast(mask, patches.dtype)[:, :, None]
        masked = patches * (1 - mask) + 0.5 * mask
        reconstructed = patches * (1 - mask) + predicted * mask
        return tuple(
            ops.convert_to_numpy(self._unpatchify(x, images.shape)) for x in (masked, reconstructed)
        )

    def check_masks(self, masks: Sequence[Tensor]) -> None:
        """Raises ValueError unless each image has `mask_ratio` of its patches masked."""
        (mask,) = masks
        num_patches = mask.shape[1]
        num_masked = int(self.mask_ratio * num_patches)
        if not 0 < num_masked < num_patches:
            raise ValueError(
                f"`mask_ratio` must mask at least one patch and leave one visible. Received "
                f"{self.mask_ratio}, which masks {num_masked} of {num_patches} patches."
            )
        counts = set(mask.astype(int).sum(axis=1).tolist())
        if counts != {num_masked}:
            raise ValueError(
                f"Each mask must cover {num_masked} of {num_patches} patches, as `mask_ratio` "
                f"requires; received {sorted(counts)}."
            )

    def _unpatchify(self, patches, shape):
        """Joins patches `(B, N, P)` into images `(B, H, W, C)`."""
        patch_size = self.encoder.patch_size
        rows, columns = (side // patch_size for side in shape[1:3])
        cells = ops.reshape(patches, (-1, rows, columns, patch_size, patch_size, shape[3]))
        return ops.reshape(ops.transpose(cells, (0, 1, 3, 2, 4, 5)), (-1, *shape[1:]))


def _check_decoder(decoder):
    is_triple = isinstance(decoder, (tuple, list)) and len(decoder) == 3
    if not is_triple or not all(type(size) is int for size in decoder):
        raise TypeError(
            f"`decoder` must be three ints (width, blocks, heads), received {decoder!r}."
        )
    if min(decoder) < 1 or decoder[0] % decoder[2]:
        raise ValueError(
            "`decoder` must be ints of at least 1 (width, blocks, heads), with a width that is a "
            f"multiple of the heads, received {decoder!r}."
        )
