"""Zero-shot classification."""

import keras
from keras import ops

from keras_ssl import export
from keras_ssl import images as pixels
from keras_ssl._types import PathLike, Tensor
from keras_ssl.encoders.interface import feature_width
from keras_ssl.images import image_shape
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training import config
from keras_ssl.validation import check_int


@keras.saving.register_keras_serializable("keras_ssl")
class ZeroShotClassifier(keras.Model):
    """Classifies images by cosine similarity to class weights. `CLIP.zero_shot` builds one.

    It is a regular `keras.Model`: compile it with a loss on logits, evaluate it, train it further,
    save or export it. It shares the image encoder with the model it was built from.

    Args:
        image_tower: Built `keras.Model` from float images `(B, H, W, C)` in 0..1 to embeddings
            `(B, D)`.
        num_classes: Int K >= 2.
        **kwargs: `name` and `dtype`, as in `keras.Model`.
    """

    def __init__(self, image_tower: keras.Model, num_classes: int, **kwargs) -> None:
        check_int(2, num_classes=num_classes)
        super().__init__(**kwargs)
        self.image_tower = image_tower
        self.num_classes = num_classes
        shape = (feature_width(image_tower), num_classes)
        self.kernel = self.add_weight(shape, dtype=keras.config.floatx(), name="kernel")
        self.build((None, *image_shape(image_tower)))

    def build(self, input_shape):
        self.built = True  # its layers are built

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Returns float32 logits `(B, K)` of images, uint8 0..255 or float 0..1."""
        pixels.check_eager_range(images)
        features = as_float(self.image_tower(pixels.to_unit_range(images), training=training))
        return ops.matmul(l2_normalize(features), ops.convert_to_tensor(self.kernel))

    def compute_output_spec(self, images, training=False):
        # Not traced: JAX cannot pool images of unknown size.
        return keras.KerasTensor((images.shape[0], self.num_classes), keras.config.floatx())

    def get_config(self):
        return config.config_of(self)

    @classmethod
    def from_config(cls, config_, custom_objects=None):
        return config.model_from_config(cls, config_, custom_objects)

    def export(self, filepath: PathLike, format: str = "tf_saved_model", **kwargs) -> None:
        """Exports the classifier with Keras's `export`: uint8 images in, logits out."""
        export.write(self, filepath, format=format, **kwargs)


def check_names(class_names, templates, argument="templates"):
    """Raises unless class names are unique and templates have a placeholder for them.

    Args:
        class_names: Sequence of strings.
        templates: Sequence of strings with `{}` as a placeholder.
        argument: Name of the argument that holds the templates, for error messages.
    """
    for name, strings in (("class_names", class_names), (argument, templates)):
        is_list = isinstance(strings, (tuple, list))
        if not is_list or not all(isinstance(string, str) for string in strings):
            raise TypeError(f"`{name}` must be a sequence of strings, received {strings!r}.")
    if len(class_names) < 2:
        raise ValueError(f"`class_names` must have at least two names, received {class_names!r}.")
    empty = [index for index, name in enumerate(class_names) if not name.strip()]
    if empty:
        raise ValueError(f"`class_names` has an empty name at position {empty[0]}.")
    repeated = sorted({name for name in class_names if list(class_names).count(name) > 1})
    if repeated:
        raise ValueError(f"`class_names` must be unique, but {repeated} are repeated.")
    if not templates:
        raise ValueError(f"`{argument}` is empty. Pass phrases such as 'a photo of a {{}}.'.")
    for template in templates:
        try:
            has_placeholder = "a name" in template.format("a name")
        except (IndexError, KeyError, ValueError):
            has_placeholder = False
        if not has_placeholder:
            raise ValueError(
                f"`{argument}` must contain {{}} for the class name, received {template!r}."
            )
