"""A classifier made of what text says of classes."""

import keras
from keras import ops

from keras_ssl import export
from keras_ssl import images as pixels
from keras_ssl.encoders.interface import feature_width
from keras_ssl.images import image_shape
from keras_ssl.numerics import as_float, l2_normalize
from keras_ssl.training import config
from keras_ssl.validation import check_int


@keras.saving.register_keras_serializable("keras_ssl")
class ZeroShotClassifier(keras.Model):
    """Compares images with classes, by cosine; `CLIP.zero_shot` makes one.

    It is a `keras.Model` like any other: it can be compiled with a loss on logits, evaluated,
    trained further, saved and exported. The image encoder is shared with the model it was made of.

    Args:
        image_tower: Built `keras.Model` from float images to `(B, D)`.
        num_classes: Int >= 2, K.
        **kwargs: `name` and `dtype`.
    """

    def __init__(self, image_tower, num_classes, **kwargs):
        check_int(2, num_classes=num_classes)
        super().__init__(**kwargs)
        self.image_tower = image_tower
        self.num_classes = num_classes
        shape = (feature_width(image_tower), num_classes)
        self.kernel = self.add_weight(shape, dtype=keras.config.floatx(), name="kernel")
        self.build((None, *image_shape(image_tower)))

    def build(self, input_shape):
        """Nothing is left to build."""
        self.built = True

    def call(self, images, training=False):
        """Returns logits `(B, K)`, float32, of images, uint8 0..255 or float 0..1."""
        pixels.check_eager_range(images)
        features = as_float(self.image_tower(pixels.to_unit_range(images), training=training))
        return ops.matmul(l2_normalize(features), ops.convert_to_tensor(self.kernel))

    def compute_output_spec(self, images, training=False):
        """`(B, K)`, known without a trace, in which JAX cannot pool images of open size."""
        return keras.KerasTensor((images.shape[0], self.num_classes), keras.config.floatx())

    def get_config(self):
        return config.config_of(self)

    @classmethod
    def from_config(cls, config_, custom_objects=None):
        return config.model_from_config(cls, config_, custom_objects)

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Exports the classifier by Keras's `export`: uint8 images in, logits out."""
        export.write(self, filepath, format=format, **kwargs)


def check_names(class_names, templates, argument="templates"):
    """Raises unless classes have names, all different, and templates a place for them.

    Args:
        class_names: What was received.
        templates: What was received.
        argument: What errors call the templates.
    """
    for name, strings in (("class_names", class_names), (argument, templates)):
        is_list = isinstance(strings, (tuple, list))
        if not is_list or not all(isinstance(string, str) for string in strings):
            raise TypeError(f"`{name}` must be a sequence of strings, received {strings!r}.")
    if len(class_names) < 2:
        raise ValueError(f"`class_names` must name two classes or more, received {class_names!r}.")
    empty = [index for index, name in enumerate(class_names) if not name.strip()]
    if empty:
        raise ValueError(f"`class_names` has an empty name at position {empty[0]}.")
    repeated = sorted({name for name in class_names if list(class_names).count(name) > 1})
    if repeated:
        raise ValueError(f"`class_names` must differ, and {repeated} are repeated.")
    if not templates:
        raise ValueError(f"`{argument}` is empty: give phrases such as 'a photo of a {{}}.'.")
    for template in templates:
        try:
            says_it = "a name" in template.format("a name")
        except (IndexError, KeyError, ValueError):
            says_it = False
        if not says_it:
            raise ValueError(
                f"`{argument}` must hold a place {{}} for the name, received {template!r}."
            )
