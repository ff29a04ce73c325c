"""The weak and the strong view of FixMatch, which its successors share."""

from keras_ssl._types import Size
from keras_ssl.validation import as_size, check_bool, check_choice
from keras_ssl.views.base import View
from keras_ssl.views.compose import Compose
from keras_ssl.views.ops.cutout import Cutout
from keras_ssl.views.ops.flip import RandomFlip
from keras_ssl.views.ops.shift import RandomShift
from keras_ssl.views.randaugment.rand_augment import RandAugment

POLICIES = ("randaugment", "keras_cv")


def fixmatch_weak(size: Size, flip: bool = True) -> View:
    """FixMatch's weak view: a flip and a shift by up to an eighth of the image.

    It is a single view, not a tuple like the views of self-supervised methods.

    Args:
        size: Int > 0, or pair `(height, width)`, of the images. It does not change.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.

    Returns:
        A view.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` is out of range.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.3.
    """
    check_bool(flip=flip)
    shorter_side = min(as_size(size))
    shift = [RandomShift(max(1, shorter_side // 8))] if shorter_side > 1 else []
    return Compose([*([RandomFlip()] if flip else []), *shift])


def fixmatch_strong(size: Size, flip: bool = True, policy: str = "randaugment") -> View:
    """FixMatch's strong view: the weak view, two operations of RandAugment, and Cutout.

    Cutout covers a box of half the height and width.

    Args:
        size: Int > 0, or pair `(height, width)`, of the images. It does not change.
        flip: Bool. Pass False if left and right have a meaning, as in digits and letters.
        policy: "randaugment" for `keras_ssl.views.RandAugment` with the paper's operations, or
            "keras_cv" for `keras_cv.layers.RandAugment`, which has ten other operations and one
            strength.

    Returns:
        A view.

    Raises:
        TypeError: If `flip` is not a bool.
        ValueError: If `size` or `policy` is not one of the accepted values.
        ImportError: If `policy` is "keras_cv" and KerasCV is not installed.

    Source:
        Sohn et al. 2020, https://arxiv.org/abs/2001.07685, section 2.3 and appendix D, and the
        authors' code, whose Cutout covers 16 pixels of 32.
    """
    check_choice(POLICIES, policy=policy)
    weak = fixmatch_weak(size, flip)
    operations = RandAugment() if policy == "randaugment" else _keras_cv_randaugment()
    cutout = Cutout(as_size([max(1, side // 2) for side in as_size(size)]))
    return Compose([weak, operations, cutout])


def _keras_cv_randaugment():
    try:
        import keras_cv
    except ImportError as error:
        raise ImportError(
            '`policy="keras_cv"` needs KerasCV, which is not installed: pip install keras-cv'
        ) from error

    from keras_ssl.views.ops.keras_layer import KerasLayer

    return KerasLayer(
        keras_cv.layers.RandAugment(value_range=(0, 1), augmentations_per_image=2, magnitude=0.5)
    )
