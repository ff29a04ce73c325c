"""Losses of the papers as pure functions of `keras.ops`."""

from keras_ssl.losses.nt_xent import nt_xent

__all__ = ["nt_xent"]
