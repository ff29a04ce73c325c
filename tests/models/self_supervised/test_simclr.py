"""SimCLR: the loss over two views and over three."""

import method_checks as checks
import numpy as np
import pytest
import references
from losses_checks import unit
from method_spec import MethodSpec

import keras_ssl

SPEC = MethodSpec(
    keras_ssl.SimCLR,
    settings={"projector": (16, 8)},
    other_values={"temperature": 0.1, "together": True},
    covered_elsewhere=("num_chunks",),
    symmetric_in_views=True,
    representative=True,
    on_workers=True,
    half_precision=("mixed_bfloat16", "mixed_float16"),
)


def nt_xent(z1, z2, temperature=0.5):
    """Returns equation 1, anchor by anchor."""
    z, losses = unit(np.concatenate([z1, z2])), []
    for i, anchor in enumerate(z):
        logits = z @ anchor / temperature
        others = np.exp(np.delete(logits, i)).sum()
        losses.append(np.log(others) - logits[(i + len(z1)) % len(z)])
    return np.mean(losses)


@pytest.mark.parametrize("num_chunks", [1, 4])
def test_simclr_loss_matches_the_paper(num_chunks, float64):
    model, views = checks.make("SimCLR", num_chunks=num_chunks), checks.two_views(16)
    expected = nt_xent(*references.projections(model, views))
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_simclr_averages_pairs_of_three_views(float64):
    model, views = checks.make("SimCLR"), references.three_views()
    z1, z2, z3 = references.projections(model, views)
    expected = np.mean([nt_xent(z1, z2), nt_xent(z1, z3), nt_xent(z2, z3)])
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)


def test_simclr_normalizes_views_together_as_the_authors_do(float64):
    model, views = checks.make("SimCLR", together=True), checks.two_views(16)
    (both,) = references.projections(model, (np.concatenate(views),))
    expected = nt_xent(*np.split(both, 2))
    assert expected != pytest.approx(nt_xent(*references.projections(model, views)), rel=1e-4)
    assert references.one_step(model, views)["loss"] == pytest.approx(expected, rel=1e-10)
