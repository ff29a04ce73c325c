"""Tasks and answers of a peer, another library in a subprocess."""

import sys

import pytest
from peer import peer

ANSWERS = """
import sys
sys.path.insert(0, {folder!r})
from peer import serve

def answer(number):
    print("output of the library")
    return {{"twice": 2 * number}}

serve(answer)
"""


def test_a_peer_answers_even_if_it_prints(tmp_path, pytestconfig):
    script = tmp_path / "twice.py"
    script.write_text(ANSWERS.format(folder=str(pytestconfig.rootpath / "benchmarks")))
    with peer(sys.executable, script) as ask:
        assert [ask(number=n) for n in (2, 5)] == [{"twice": 4}, {"twice": 10}]


def test_no_peer_yields_none():
    with peer(None, "lightly_views.py") as ask:
        assert ask is None


def test_a_peer_that_fails_to_start_is_named(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise ImportError('no lightly here')")
    with peer(sys.executable, script) as ask, pytest.raises(SystemExit, match=r"broken\.py"):
        ask(number=1)
