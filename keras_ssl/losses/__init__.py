"""Losses of the papers as pure functions of `keras.ops`.

Each loss has the name of its method, takes batch-first tensors and returns a scalar. All follow the
same rules:

- float16 and bfloat16 inputs are computed in float32; float64 inputs are computed in float64.
- No gradient reaches targets, such as the outputs of a teacher or the logits of weak views.
- A batch of equal rows, or of zeros, has a finite loss and a finite gradient.
- A loss sees one batch. Under a distribution strategy, gather the rows of all replicas first
  (`keras_ssl.distribute.all_gather`).
"""

from keras_ssl.losses.barlow_twins import barlow_twins, barlow_twins_terms
from keras_ssl.losses.clip import clip
from keras_ssl.losses.cosine import byol, negative_cosine
from keras_ssl.losses.dash import dash
from keras_ssl.losses.dino import dino
from keras_ssl.losses.emp_ssl import emp_ssl, emp_ssl_terms, total_coding_rate
from keras_ssl.losses.fixmatch import fixmatch, weighted_cross_entropy
from keras_ssl.losses.freematch import fairness
from keras_ssl.losses.ibot import ibot
from keras_ssl.losses.info_nce import info_nce
from keras_ssl.losses.koleo import koleo
from keras_ssl.losses.mae import mae
from keras_ssl.losses.mean_teacher import mean_teacher
from keras_ssl.losses.nnclr import nnclr
from keras_ssl.losses.nt_xent import nt_xent
from keras_ssl.losses.supcon import supcon
from keras_ssl.losses.swav import sinkhorn, swav
from keras_ssl.losses.uda import uda
from keras_ssl.losses.vicreg import vicreg, vicreg_terms

__all__ = [
    "barlow_twins",
    "barlow_twins_terms",
    "byol",
    "clip",
    "dash",
    "dino",
    "emp_ssl",
    "emp_ssl_terms",
    "fairness",
    "fixmatch",
    "ibot",
    "info_nce",
    "koleo",
    "mae",
    "mean_teacher",
    "negative_cosine",
    "nnclr",
    "nt_xent",
    "sinkhorn",
    "supcon",
    "swav",
    "total_coding_rate",
    "uda",
    "vicreg",
    "vicreg_terms",
    "weighted_cross_entropy",
]
