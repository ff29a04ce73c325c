"""CLIP: Radford et al. 2021, https://arxiv.org/abs/2103.00020.

python recipes/clip.py                                       # digits, bundled
python recipes/clip.py --dataset cifar10 --encoder vit_tiny --epochs 30 --output runs/clip_cifar10

Captions are made here, from the names of classes: phrases in several wordings, with words of light
and place where they are true of the image. Yours go in their place: any dataset of
`(images, captions)`. RESULTS.md has figures on Fashion-MNIST and CIFAR-10.
"""

import json
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import tyro

import keras_ssl
from keras_ssl import data, encoders, evaluation, views
from keras_ssl.recipes import pretraining
from keras_ssl.recipes.pretraining import Run

# {light} is "dark ", "bright " or nothing, {place} " on the left" and so on, or nothing.
PHRASES = (
    "a {light}photo of a {name}{place}",
    "a {light}picture of the {name}{place}",
    "an image that shows a {light}{name}{place}",
    "this is a {name}{place}, {light}and alone",
    "{light}{name}",
)
TEMPLATES = ("a photo of a {}", "a picture of the {}", "an image that shows a {}")
HELD_OUT = ("here we see the {}", "what is shown is one {}", "a very nice {} of mine")


def main(
    epochs: int = 100,
    batch_size: int = 128,
    learning_rate: float = 2e-3,
    weight_decay: float = 0.05,
    projection: int = 64,
    text_width: int = 64,
    text_depth: int = 2,
    run: Run = Run(Path("runs/clip")),
) -> None:
    """Trains CLIP, tells how well names find their images, and keeps all of it in a folder.

    The same command again goes on where a stopped run ended.

    Args:
        epochs: Passes over the images.
        batch_size: Images in a step, over all devices.
        learning_rate: Rises over a tenth of the run and falls on a cosine to 0.
        weight_decay: How much of each weight an optimizer step takes off, times the learning rate.
        projection: Width of the common space.
        text_width: Of a word in the text encoder.
        text_depth: Blocks of the text encoder.
        run: Options that all recipes share.
    """
    settings = dict(locals())
    train, test = pretraining.start(run, settings)
    names = data.class_names(run.dataset, run.data_dir)
    shape = pretraining.image_shape(train)
    own_views = views.clip(shape[:2])
    pairs = captioned(train, names, run.seed)
    steps = pretraining.count_steps(train, epochs, batch_size)

    def new_model():
        words = keras.layers.TextVectorization()
        words.adapt(every_caption(names))
        text_encoder = encoders.text_transformer(words, 16, text_width, text_depth, 4)
        model = keras_ssl.CLIP(
            pretraining.new_encoder(run, shape),
            text_encoder,
            projection=projection,
            views=own_views,
            seed=run.seed,
        )
        warm_up = max(1, steps // 10)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
        )
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=weight_decay))
        return model

    model = pretraining.train(
        *(run, settings, new_model, own_views, train, test),
        epochs=epochs,
        batch_size=batch_size,
        pairs=pairs,
    )
    report(model, names, captioned(test, names, run.seed), test, run.output)


def report(model, names, pairs, test, folder):
    """Tells how well text finds images of the test set, and draws it."""
    encoded, labels = evaluation.extract_features(model, test)
    captions = [caption.decode() for _, caption in pairs.as_numpy_iterator()]
    texts = model.encode_text(captions)
    results = {
        "zero_shot": zero_shot(model, names, TEMPLATES, encoded, labels),
        "zero_shot_held_out_phrases": zero_shot(model, names, HELD_OUT, encoded, labels),
    }
    for k in (1, 5):  # of all captions; equal ones are all right
        results[f"image_to_text_recall_at_{k}"] = evaluation.recall_at_k(
            encoded, texts, k, captions
        )
        results[f"text_to_image_recall_at_{k}"] = evaluation.recall_at_k(
            texts, encoded, k, captions
        )
    (folder / "clip.json").write_text(json.dumps(results, indent=2) + "\n")
    images, _ = evaluation.read_images(test, 12)
    phrases = [TEMPLATES[0].format(name) for name in names[:12]]
    evaluation.plots.plot_similarity_matrix(
        (images, encoded[:12]), model.encode_text(phrases), phrases, folder / "similarity.png"
    )
    print(f"\nOn {len(labels)} test images:")
    for name, share in results.items():
        print(f"    {name.replace('_', ' '):<30} {100 * share:5.1f} %")
    print("In clip.json, and as a picture similarity.png.")


def zero_shot(model, names, templates, encoded, labels):
    """Accuracy of the class whose name is nearest."""
    similar = encoded @ model.class_weights(names, templates).T
    return float(np.mean(similar.argmax(axis=1) == labels))


def captioned(dataset, names, seed):
    """Puts a caption in the place of each label: a phrase at random, the same each time."""
    table = tf.constant(
        [[phrase.format(name=name, light="<", place=">") for phrase in PHRASES] for name in names]
    )

    def caption(index, element):
        image, label = element
        drawn = tf.random.stateless_uniform((), [seed, index], 0, len(PHRASES), tf.int64)
        light, place = describe(image)
        text = tf.strings.regex_replace(table[label, drawn], "<", light)
        return image, tf.strings.regex_replace(text, ">", place)

    count = dataset.cardinality()
    pairs = dataset.enumerate().map(caption, num_parallel_calls=tf.data.AUTOTUNE)
    return pairs.apply(tf.data.experimental.assert_cardinality(count))


def describe(image):
    """Words of light and place that are true of an image; empty where neither stands out."""
    light = tf.reduce_mean(tf.cast(image, tf.float32), axis=-1)
    mean = tf.reduce_mean(light)
    word = tf.where(mean < 85, "dark ", tf.where(mean > 170, "bright ", ""))
    columns = tf.linspace(-0.5, 0.5, tf.shape(light)[1])
    center = tf.reduce_sum(light * columns) / tf.maximum(tf.reduce_sum(light), 1.0)
    place = tf.where(center < -0.05, " on the left", tf.where(center > 0.05, " on the right", ""))
    return word, place


def every_caption(names):
    """All captions that there may be, for the vocabulary."""
    return [
        phrase.format(name=name, light=light, place=place)
        for phrase in PHRASES
        for name in names
        for light in ("dark ", "bright ", "")
        for place in (" on the left", " on the right", "")
    ]


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))
