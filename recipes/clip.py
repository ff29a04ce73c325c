"""CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020).

    python recipes/clip.py                              # bundled digits
    python recipes/clip.py --dataset cifar10 --encoder vit_tiny --epochs 30 \
        --output runs/clip_cifar10

The captions are made here from the class names: phrases in several wordings, with words for the
brightness and the position of the object if they are true of the image. To train on your own
captions, pass any dataset of `(images, captions)`. Results on Fashion-MNIST and CIFAR-10:
RESULTS.md.
"""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tyro

import keras_ssl
from keras_ssl import data, encoders, evaluation
from keras_ssl.recipes import pretraining

# {brightness} is "dark ", "bright " or empty, {position} " on the left", " on the right" or empty.
PHRASES = (
    "a {brightness}photo of a {name}{position}",
    "a {brightness}picture of the {name}{position}",
    "an image that shows a {brightness}{name}{position}",
    "this is a {name}{position}, {brightness}and alone",
    "{brightness}{name}",
)
TEMPLATES = ("a photo of a {}", "a picture of the {}", "an image that shows a {}")
HELD_OUT = ("here we see the {}", "what is shown is one {}", "a very nice {} of mine")
DARK, BRIGHT = 85, 170  # thirds of the range 0..255
OFF_CENTER = 0.05  # share of the width


@dataclasses.dataclass(frozen=True)
class Config(pretraining.Config):
    """Options of CLIP.

    Args:
        learning_rate: Peak learning rate, after a tenth of the run.
        projection: Width of the shared embedding space.
        text_width: Width of a token in the text encoder.
        text_depth: Number of blocks of the text encoder.
    """

    output: Path = Path("runs/clip")
    epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    projection: int = 64
    text_width: int = 64
    text_depth: int = 2

    @property
    def peak_learning_rate(self):
        """The learning rate, which does not scale with the batch size."""
        return self.learning_rate


def build(config, image_shape, total_steps):
    """Returns the compiled model and its views."""
    views = keras_ssl.views.clip(image_shape[:2])
    tokenizer = keras.layers.TextVectorization()
    tokenizer.adapt(all_captions(data.class_names(config.dataset, config.data_dir)))
    text_encoder = encoders.text_transformer(tokenizer, 16, config.text_width, config.text_depth, 4)
    model = keras_ssl.CLIP(
        pretraining.encoder(config, image_shape),
        text_encoder,
        projection=config.projection,
        views=views,
        seed=config.seed,
    )
    model.compile(pretraining.adamw(config, total_steps, warmup=True))
    return model, views


def add_captions(config, dataset):
    """Replaces each label with a caption: a random phrase, a function of the seed and the index."""
    names = data.class_names(config.dataset, config.data_dir)
    captions = tf.constant(
        [
            [phrase.format(name=name, brightness="<", position=">") for phrase in PHRASES]
            for name in names
        ]
    )

    def add_caption(index, element):
        image, label = element
        phrase = tf.random.stateless_uniform((), [config.seed, index], 0, len(PHRASES), tf.int64)
        brightness, position = describe(image)
        caption = tf.strings.regex_replace(captions[label, phrase], "<", brightness)
        return image, tf.strings.regex_replace(caption, ">", position)

    pairs = dataset.enumerate().map(add_caption, num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.apply(tf.data.experimental.assert_cardinality(dataset.cardinality()))


def describe(image):
    """Returns words for the brightness and the position of the object, empty if undecided."""
    light = tf.reduce_mean(tf.cast(image, tf.float32), axis=-1)
    mean = tf.reduce_mean(light)
    brightness = tf.where(mean < DARK, "dark ", tf.where(mean > BRIGHT, "bright ", ""))
    columns = tf.linspace(-0.5, 0.5, tf.shape(light)[1])
    center = tf.reduce_sum(light * columns) / tf.maximum(tf.reduce_sum(light), 1.0)
    right = tf.where(center > OFF_CENTER, " on the right", "")
    return brightness, tf.where(center < -OFF_CENTER, " on the left", right)


def all_captions(names):
    """Returns all possible captions, for the vocabulary."""
    return [
        phrase.format(name=name, brightness=brightness, position=position)
        for phrase in PHRASES
        for name in names
        for brightness in ("dark ", "bright ", "")
        for position in (" on the left", " on the right", "")
    ]


def report(config, model, views, test):
    """Evaluates zero-shot classification and retrieval on test images, and prints the results."""
    names = data.class_names(config.dataset, config.data_dir)
    image_features, labels = evaluation.extract_features(model, test)
    pairs = add_captions(config, test).as_numpy_iterator()
    captions = [caption.decode() for _, caption in pairs]
    text_features = model.encode_text(captions)
    results = {
        "zero_shot": zero_shot(model, names, TEMPLATES, image_features, labels),
        "zero_shot_held_out_phrases": zero_shot(model, names, HELD_OUT, image_features, labels),
    }
    for k in (1, 5):  # images with equal captions count as correct
        results[f"image_to_text_recall_at_{k}"] = evaluation.recall_at_k(
            image_features, text_features, k, captions
        )
        results[f"text_to_image_recall_at_{k}"] = evaluation.recall_at_k(
            text_features, image_features, k, captions
        )
    (config.output / "clip.json").write_text(json.dumps(results, indent=2) + "\n")
    images, _ = evaluation.read_images(test, 12)
    phrases = [TEMPLATES[0].format(name) for name in names[:12]]
    evaluation.plots.plot_similarity_matrix(
        (images, image_features[:12]),
        model.encode_text(phrases),
        phrases,
        config.output / "similarity.png",
    )
    print(f"\nOn {len(labels)} test images:")
    for name, share in results.items():
        print(f"    {name.replace('_', ' '):<30} {100 * share:5.1f} %")
    print(f"{config.output} also contains clip.json and the plot similarity.png.")


def zero_shot(model, names, templates, image_features, labels):
    """Returns the accuracy of zero-shot classification by the class names."""
    similarities = image_features @ model.class_weights(names, templates).T
    return float(np.mean(similarities.argmax(axis=1) == labels))


def run(config):
    """Trains CLIP, evaluates it and writes everything to `config.output`."""
    return pretraining.run(config, build, add_captions=add_captions, report=report)


if __name__ == "__main__":
    run(tyro.cli(Config, description=__doc__))
