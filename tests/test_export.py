import keras
import method_checks as checks
import numpy as np
import pytest
from keras import layers, ops
from processes import run_python

from keras_ssl import encoders, export
from keras_ssl.images import image_shape


def random_encoder():
    """An encoder whose batch norm statistics are not the initial ones."""
    encoder = encoders.small_resnet((8, 8, 3), width=4)
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        if weight.path.endswith(("gamma", "beta", "mean", "variance")):
            weight.assign(rng.uniform(0.2, 1.0, weight.shape))
    return encoder


def pixels(*size, count=3):
    return np.random.default_rng(1).integers(0, 256, (count, *size, 3), dtype="uint8")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_serving_model_takes_uint8_and_returns_float32(policy):
    keras.config.set_dtype_policy(policy)
    serving = export.serving_model(random_encoder())
    assert serving.input.dtype == "uint8"
    assert serving.output.dtype == "float32"
    assert serving(pixels(8, 8)).dtype == "float32"


def test_serving_model_returns_the_networks_inference_features():
    encoder = random_encoder()
    expected = np.asarray(encoder(pixels(8, 8).astype("float32") / 255, training=False))
    features = np.asarray(export.serving_model(encoder)(pixels(8, 8)))
    np.testing.assert_allclose(features, expected, atol=1e-6)


def test_serving_model_computes_in_float64_if_floatx_is_float64(float64):
    encoder = random_encoder()
    features = np.asarray(export.serving_model(encoder)(pixels(8, 8)))
    assert features.dtype == "float64"
    scale = float(np.float32(1 / 255))  # Keras rounds the scale, not the features
    expected = np.asarray(encoder(pixels(8, 8) * scale))
    np.testing.assert_allclose(features, expected, rtol=0, atol=1e-12)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def call(self, images):
        return self.dense(ops.mean(images, axis=(1, 2)))


def test_image_shape_is_read_from_functional_sequential_and_subclassed_models():
    assert image_shape(checks.small_encoder()) == (None, None, 3)
    stack = [keras.Input((8, 6, 1)), layers.Flatten(), layers.Dense(4)]
    assert image_shape(keras.Sequential(stack)) == (8, 6, 1)
    subclassed = Subclassed()
    subclassed(np.zeros((2, 8, 6, 3), "float32"))
    assert image_shape(subclassed) == (8, 6, 3)


@pytest.mark.slow
def test_exports_from_tensorflow_and_jax_serve_images_of_any_size(tmp_path):
    # These contain what JAX finds hard to export for an unknown size: strided convolutions,
    # shortcuts and a max pool.
    networks = {
        "small": random_encoder(),
        "resnet18": encoders.resnet18((8, 8, 3), width=2),
        "vit": encoders.vit((8, 8, 3), 4, 12, 2, 3),  # JAX exports its own size only
    }
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.keras")
    export.write(networks["small"], tmp_path / "tensorflow", verbose=False)
    export_on_jax = (
        "import keras\n"
        "from keras_ssl import export\n"
        f"for name in {list(networks)}:\n"
        "    export.write(keras.saving.load_model(f'{name}.keras'), name, verbose=False)\n"
    )
    serve_without_keras = (
        "import sys, numpy as np, tensorflow as tf\n"
        "sys.modules['keras_ssl'] = sys.modules['keras'] = None\n"
        f"for name in {[*networks, 'tensorflow']}:\n"
        "    served = tf.saved_model.load(name)\n"
        "    for size in ('8x8', '12x17')[: 1 if name == 'vit' else 2]:\n"
        "        images = np.load(f'{size}.npy')\n"
        "        np.save(f'{name} {size}.npy', served.serve(images))\n"
    )
    sizes = {"8x8": pixels(8, 8), "12x17": pixels(12, 17, count=1)}
    for size, images in sizes.items():
        np.save(tmp_path / f"{size}.npy", images)
    for backend, script in (("jax", export_on_jax), ("tensorflow", serve_without_keras)):
        run_python(script, cwd=tmp_path, KERAS_BACKEND=backend)
    networks["tensorflow"] = networks["small"]
    for size, images in sizes.items():
        for name, network in networks.items():
            if name == "vit" and size != "8x8":
                continue
            expected = np.asarray(network(images.astype("float32") / 255))
            features = np.load(tmp_path / f"{name} {size}.npy")
            assert features.dtype == "float32"
            np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5, err_msg=name)
