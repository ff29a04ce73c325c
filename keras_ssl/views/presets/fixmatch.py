"""The weak and the strong view of FixMatch, which its successors took over."""

from keras_ssl.validation import as_size
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.cutout import Cutout
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.shift import RandomShift
from keras_ssl.views.randaugment.rand_augment import RandAugment

POLICIES = ("randaugment", "keras_cv")


def fixmatch_weak(size, flip=True):
    """FixMatch's weak view: flip, then shift by up to an eighth of the image, mirrored beyond it.

    Unlike the views of self-supervised methods it is one view, not a tuple.

    Args:
        size: Int > 0, or pair `(height, width)`: of the images, which keep it.
        flip: Bool. False where left and right mean something, as in digits and letters.

    Returns:
        A view.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.3.
    """
    if not isinstance(flip, bool):
        raise TypeError(f"`flip` must be a bool, received {flip!r}.")
    shorter = min(as_size(size))
    shift = [RandomShift(max(1, shorter // 8))] if shorter > 1 else []
    return Compose([*([RandomFlip()] if flip else []), *shift])


def fixmatch_strong(size, flip=True, policy="randaugment"):
    """FixMatch's strong view: the weak one, two operations of RandAugment, half a side cut out.

    Args:
        size: Int > 0, or pair `(height, width)`: of the images, which keep it.
        flip: Bool. False where left and right mean something, as in digits and letters.
        policy: "randaugment" for `keras_ssl.views.RandAugment` with the paper's operations, or
            "keras_cv" for `keras_cv.layers.RandAugment`, which has ten others and one strength.

    Returns:
        A view.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` or `policy` is not one of those accepted.
        ImportError: If `policy` is "keras_cv" and KerasCV is not installed.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.3 and appendix D, and the
        authors' code, whose Cutout covers 16 pixels of 32.
    """
    if not isinstance(policy, str) or policy not in POLICIES:
        raise ValueError(f"`policy` must be one of {POLICIES}, received {policy!r}.")
    operations = RandAugment() if policy == "randaugment" else _of_keras_cv()
    hole = Cutout(tuple(max(1, side // 2) for side in as_size(size)))
    return Compose([fixmatch_weak(size, flip), operations, hole])


def _of_keras_cv():
    import keras_cv

    from keras_ssl.views.ops.keras_layer import KerasLayer

    return KerasLayer(
        keras_cv.layers.RandAugment(value_range=(0, 1), augmentations_per_image=2, magnitude=0.5)
    )
