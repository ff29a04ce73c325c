"""Figures and images in matplotlib, without pyplot."""

import numpy as np

DPI = 110
MIN_INCHES = 2.0  # the smallest width and height, so that titles fit


def new_figure(width, height):
    """Returns a figure of at least `width` x `height` inches."""
    from matplotlib.figure import Figure  # pyplot would open windows and keep global state

    return Figure(figsize=(max(MIN_INCHES, width), max(MIN_INCHES, height)), layout="constrained")


def save_figure(figure, path):
    """Writes a figure to a file."""
    figure.savefig(path, dpi=DPI)


def show_image(axis, image):
    """Draws an image `(H, W, C)`, uint8 or float 0..1, without axes."""
    image = np.asarray(image)
    if image.shape[-1] == 1:
        white = 255 if image.dtype == np.uint8 else 1
        axis.imshow(image[..., 0], cmap="gray", vmin=0, vmax=white)
    else:
        axis.imshow(image if image.dtype == np.uint8 else np.clip(image, 0, 1))
    axis.set_axis_off()
