"""SimCLR on the bundled digits in plain Keras calls, in about a minute on a CPU.

    python examples/simclr_from_scratch.py

The steps: load images, build an encoder, train it without labels, evaluate its features, save the
model to continue in Keras, and export the encoder to use it elsewhere.
"""

from pathlib import Path

import keras

import keras_ssl


def main(epochs: int = 50, output: Path = Path("runs/simclr_from_scratch")) -> None:
    """Trains SimCLR, prints the accuracy of its features and writes it to `output`."""
    keras.utils.set_random_seed(0)

    # Unbatched datasets of (image, label). Training ignores the labels.
    train = keras_ssl.data.load("digits", "train")
    test = keras_ssl.data.load("digits", "test")

    # An encoder is any Keras model from images to features (B, D). Two random views of an image
    # are its positive pair; a mirrored digit is no digit, so these views do not flip.
    encoder = keras_ssl.encoders.small_resnet((8, 8, 1))
    views = keras_ssl.views.simclr(8, flip=False)
    model = keras_ssl.SimCLR(encoder, projector=(512, 512, 128), temperature=0.5, views=views)

    batch_size = 256
    total_steps = epochs * (int(train.cardinality()) // batch_size)
    learning_rate = keras.optimizers.schedules.CosineDecay(0.12, total_steps)
    model.compile(keras.optimizers.SGD(learning_rate, momentum=0.9, weight_decay=5e-4))
    dataset = keras_ssl.data.make_views(train, views, batch_size)
    model.fit(dataset, epochs=epochs, verbose=2)

    # The accuracy of the frozen features.
    knn_accuracy = keras_ssl.evaluation.knn(model, train, test)
    linear_accuracy = keras_ssl.evaluation.linear_probe(model, train, test)
    print(f"kNN accuracy {100 * knn_accuracy:.1f} %, linear {100 * linear_accuracy:.1f} %")

    # To continue: keras.saving.load_model(output / "model.keras").
    output.mkdir(parents=True, exist_ok=True)
    model.save(output / "model.keras")

    # To use without keras_ssl: tf.saved_model.load(str(output / "encoder")).serve(uint8_images).
    model.export_encoder(output / "encoder")


if __name__ == "__main__":
    main()
