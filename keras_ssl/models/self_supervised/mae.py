"""MAE: see a quarter of an image's patches, and paint the others."""

import keras
from keras import ops

from keras_ssl import layers, losses, views
from keras_ssl.encoders.interface import check_vision_transformer
from keras_ssl.numerics import as_float
from keras_ssl.training.self_supervised import SelfSupervisedModel
from keras_ssl.validation import check_fraction

EPSILON = 1e-6  # of the loss


@keras.saving.register_keras_serializable("keras_ssl")
class MAE(SelfSupervisedModel):
    """Learns a vision transformer by painting the patches of an image that it does not see.

    Choose it for large transformers and long runs, and where features are trained further
    afterwards: by kNN and linear probes they lag behind those of contrast. Colors need no
    invention of views: crop and flip do. The encoder sees a quarter of the patches, so that a step
    costs less than half of supervised training; memory is one encoder and a small decoder, batches
    of any size do. `fit` logs `loss`, about 1 at the start, the variance of normalized pixels. A
    safe start is AdamW, learning rate 1.5e-4 * B / 256, decay 0.05, warm-up, cosine decay. Take the
    mean of the patches for features: `encoders.vit(..., pooling="mean")`.

        encoder = keras_ssl.encoders.vit((32, 32, 3), patch_size=4, pooling="mean")
        model = keras_ssl.MAE(encoder)
        model.compile(keras.optimizers.AdamW(1.5e-4, weight_decay=0.05))
        model.fit(images, batch_size=256, epochs=100)

    Args:
        encoder: What `encoders.vit` returns.
        decoder: Three ints: width, number of blocks, attention heads.
        mask_ratio: Float in 0..1, the share of patches that are not seen.
        normalize: Bool, whether the pixels of each patch are normalized before they are compared.
        views: Sequence of two, of a view of images and one of masks, `views.RandomMask` of this
            ratio; None for `views.mae` at the size of the images. Ready views are such pairs too.
        seed: Int, see `SelfSupervisedModel`.
        **kwargs: `name` and `dtype`.

    Raises:
        ValueError: If a number is out of range, or all patches or none would be masked.
        TypeError: If an argument is of the wrong kind.

    Source:
        He et al. 2021, https://arxiv.org/abs/2111.06377, sections 3 and 4.
    """

    num_masks = 1
    unsupported_compile_args = {
        **SelfSupervisedModel.unsupported_compile_args,
        "microbatches": "the encoder passes few of the patches, and all images of a batch at a time",
    }

    def __init__(self, encoder, *, decoder=(128, 2, 4), mask_ratio=0.75, normalize=True, **kwargs):
        check_vision_transformer(encoder)
        check_fraction(mask_ratio=mask_ratio)
        is_three = isinstance(decoder, (tuple, list)) and len(decoder) == 3
        if not is_three or not all(type(each) is int for each in decoder):
            raise TypeError(
                f"`decoder` must be three ints, width, blocks, heads; received {decoder!r}."
            )
        if min(decoder) < 1 or decoder[0] % decoder[2]:
            raise ValueError(
                "`decoder` must be a width, blocks and heads of at least 1, of which the heads "
                f"divide the width; received {decoder!r}."
            )
        if not isinstance(normalize, bool):
            raise TypeError(f"`normalize` must be a bool, received {normalize!r}.")
        super().__init__(encoder, **kwargs)
        self.decoder = tuple(decoder)
        self.mask_ratio = mask_ratio
        self.normalize = normalize
        patch, channels = encoder.patch_size, encoder.image_shape[2]
        grid = [side // patch for side in encoder.image_shape[:2]]
        self.patch_decoder = layers.PatchDecoder(*decoder, grid, patch * patch * channels)
        self.patch_decoder.build((None, None, self.feature_width))

    def default_views(self, size):
        """`views.mae(size, patch_size, mask_ratio)`."""
        return views.mae(size, self.encoder.patch_size, self.mask_ratio)

    def compute_losses(self, batch, training):
        """Paints what is masked; the mean over replicas is that over the batch."""
        images, mask = batch.views
        predicted = self.predict_patches(images, mask, training)
        return {"loss": losses.mae(predicted, self.patches_of(images), mask, self.normalize)}

    def patches_of(self, images):
        """Cuts images `(B, H, W, C)` into patches `(B, N, P)`, row by row."""
        grid = self.encoder.patchify(images)
        return ops.reshape(grid, (-1, grid.shape[1] * grid.shape[2], grid.shape[3]))

    def predict_patches(self, images, mask, training=False):
        """What the decoder paints, `(B, N, P)`, of all patches.

        Args:
            images: `(B, H, W, C)`, float 0..1.
            mask: Bool or float `(B, N)`, 1 for those that the encoder does not see: in each image
                as many.
            training: Bool.
        """
        count = mask.shape[1]
        seen = count - int(self.mask_ratio * count)
        mask = ops.cast(mask, "int32")
        order = ops.argsort(mask * count + ops.arange(count, dtype="int32"), axis=1)
        tokens = self.encoder.tokens(images, training, keep=order[:, :seen])
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

    def reconstruct(self, images, mask):
        """Paints images for the eye.

        Args:
            images: `(B, H, W, C)`, float 0..1.
            mask: As in `predict_patches`, `views.RandomMask` draws one.

        Returns:
            Pair of arrays `(B, H, W, C)`: the images with gray for what is masked, and with what
            the decoder paints there. Where patches are normalized, each gets back the mean and
            deviation that it has in the image: their contrast is not painted but known.
        """
        patches = as_float(self.patches_of(images))
        painted = self.predict_patches(images, mask)
        if self.normalize:
            pixels = patches.shape[-1]
            mean = ops.sum(patches, axis=-1, keepdims=True) / pixels
            variance = ops.sum(ops.square(patches - mean), axis=-1, keepdims=True) / (pixels - 1)
            painted = painted * ops.sqrt(variance + EPSILON) + mean
        hidden = ops.cast(mask, patches.dtype)[:, :, None]
        both = (patches * (1 - hidden) + 0.5 * hidden, patches * (1 - hidden) + painted * hidden)
        return tuple(ops.convert_to_numpy(self._assembled(each, images.shape)) for each in both)

    def check_masks(self, masks):
        """Raises unless each image has as many masked patches as `mask_ratio` says."""
        (mask,) = masks
        masked = int(self.mask_ratio * mask.shape[1])
        if not 0 < masked < mask.shape[1]:
            raise ValueError(
                f"`mask_ratio` {self.mask_ratio} masks {masked} of {mask.shape[1]} patches: some "
                "must be seen, and some painted."
            )
        counts = set(mask.astype(int).sum(axis=1).tolist())
        if counts != {masked}:
            raise ValueError(
                f"The masks must have {masked} of {mask.shape[1]} patches each, by `mask_ratio`; "
                f"received {sorted(counts)}."
            )

    def _assembled(self, patches, shape):
        """Images `(B, H, W, C)` of patches `(B, N, P)`."""
        patch = self.encoder.patch_size
        rows, columns = (side // patch for side in shape[1:3])
        cut = ops.reshape(patches, (-1, rows, columns, patch, patch, shape[3]))
        return ops.reshape(ops.transpose(cut, (0, 1, 3, 2, 4, 5)), (-1, *shape[1:]))
