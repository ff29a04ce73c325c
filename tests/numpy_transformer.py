"""A transformer in NumPy, after the papers."""

import math

import numpy as np


def layer_norm(x, layer):
    gamma, beta = np.asarray(layer.gamma), np.asarray(layer.beta)
    deviation = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-6)
    return gamma * (x - x.mean(axis=-1, keepdims=True)) / deviation + beta


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def attention(x, layer, causal=False):
    """Returns the output and the scores of equation 1 of Vaswani et al., head by head."""
    names = ("query", "key", "value")
    dense = [getattr(layer, f"_{name}_dense") for name in names]
    q, k, v = (
        np.einsum("btd,dhk->bhtk", x, np.asarray(head.kernel)) + np.asarray(head.bias)[:, None]
        for head in dense
    )
    scores = np.einsum("bhtk,bhsk->bhts", q, k) / np.sqrt(q.shape[-1])
    if causal:
        later = np.triu(np.ones(scores.shape[-2:], bool), 1)
        scores = np.where(later, -np.inf, scores)
    scores = softmax(scores)
    out = np.einsum("bhts,bhsk,hkd->btd", scores, v, np.asarray(layer._output_dense.kernel))
    return out + np.asarray(layer._output_dense.bias), scores


def gelu(x):
    erf = np.vectorize(math.erf)
    return x * (1 + erf(x / np.sqrt(2))) / 2


def through(x, block, causal=False):
    """Returns the output of a block for tokens, and its attention scores."""
    branch, scores = attention(layer_norm(x, block.attention_norm), block.attention, causal)
    scale = np.asarray(block.attention_scale) if block.layer_scale else 1
    x = x + scale * branch
    hidden = layer_norm(x, block.dense_norm) @ np.asarray(block.dense_in.kernel)
    hidden = gelu(hidden + np.asarray(block.dense_in.bias))
    scale = np.asarray(block.dense_scale) if block.layer_scale else 1
    branch = hidden @ np.asarray(block.dense_out.kernel) + np.asarray(block.dense_out.bias)
    return x + scale * branch, scores


def dense(x, layer):
    """Returns the output of a dense layer."""
    return x @ np.asarray(layer.kernel) + np.asarray(layer.bias)


def tokens(encoder, images, positions=None, keep=None):
    """Returns all tokens after the last norm, and the scores of the last block.

    Args:
        encoder: A vision transformer with registers.
        images: `(B, H, W, 3)`.
        positions: Embeddings of the grid; those of the encoder if None.
        keep: Ints `(B, n)`, the visible patches; all if None.
    """
    mean, std = np.array([0.4914, 0.4822, 0.4465]), np.array([0.2470, 0.2435, 0.2616])
    patch = encoder.patch_size
    b, height, width, _ = images.shape
    shape = (b, height // patch, patch, width // patch, patch, 3)
    kernel = np.asarray(encoder.embed.kernel).reshape(patch, patch, 3, -1)
    grid = np.einsum("bhiwjc,ijcd->bhwd", ((images - mean) / std).reshape(shape), kernel)
    grid += np.asarray(encoder.embed.bias)
    grid += np.asarray(encoder.positions.embeddings) if positions is None else positions
    x = grid.reshape(b, -1, grid.shape[-1])
    if keep is not None:
        x = np.stack([patches[rows] for patches, rows in zip(x, keep, strict=True)])
    first = [np.asarray(encoder.class_token), np.asarray(encoder.register_tokens)]
    x = np.concatenate([np.repeat(np.concatenate(first, axis=1), b, axis=0), x], axis=1)
    for block in encoder.blocks:
        x, scores = through(x, block)
    return layer_norm(x, encoder.norm), scores
