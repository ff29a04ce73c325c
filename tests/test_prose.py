"""Prose that a reader meets: plain American English, as in the documentation of Keras and JAX."""

import re
from pathlib import Path

PROJECT = Path(__file__).parent.parent
FOLDERS = ("keras_ssl", "recipes", "examples", "tests", "benchmarks", "docs")
# Phrases that were found in this project and that no engineer writes, and British spellings.
BANNED = (
    r"gone on with",
    r"go(?:es)? on with",
    r"going on with",
    r"go on from",
    r"tells of",
    r"likewise",
    r"at hand",
    r"is worth",
    r"are worth",
    r"no number",
    r"of (?:its|their|one's) own",
    r"beside (?:its|the|it|them)\b",
    r"that are at",
    r"stands? still",
    r"made anew",
    r"\banew\b",
    r"of no consequence",
    r"in the place of",
    r"by the way",
    r"thereof",
    r"whatever may",
    r"is taken for\b",
    r"of itself",
    r"says what",
    r"what is (?:asked|told|known) of",
    r"knows (?:no|of)\b",
    r"alike\b",
    r"pushed? aside",
    r"sittings?\b",
    r"the sum of all that",
    r"no more than that",
    r"so_it_",
    r"is of no use",
    r"said once",
    r"(?:is|are|as|unless) told\b",
    r"left alone",
    r"(?:held|holds?) still",
    r"(?:for|to) the eye\b",
    r"whence",
    r"where(?:of|in|by|upon)\b",
    r"there(?:in|upon)\b",
    r"\bupon\b",
    r"amongst|whilst",
    r"apiece",
    r"and no other\b",
    r"nothing but\b",
    r"ones? own\b",
    r"one's own",
    r"whatever (?:the|its|their)\b",
    r"grows? used",
    r"two by two",
    r"\bmended\b",
    r"colour",
    r"neighbour",
    r"labelled",
    r"unlabelled",
    r"\bgrey",
    r"normalis",
    r"serialis",
    r"(?:optim|initial|general|organ|visual|recogn)is(?:e|ing|ation)",
    r"analys(?:e|ing)\b",
    r"behaviour",
    r"favour",
    r"\bcentre",
)
PATTERN = re.compile("|".join(BANNED), re.IGNORECASE)


def files():
    """All files of the project that hold prose, but this one."""
    paths = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    paths += [PROJECT / "RESULTS.md", PROJECT / "pyproject.toml"]
    for folder in FOLDERS:
        paths += sorted((PROJECT / folder).rglob("*.py")) + sorted((PROJECT / folder).rglob("*.md"))
    return [path for path in paths if path.exists() and path != Path(__file__)]


def test_prose_has_no_banned_phrases():
    found = []
    for path in files():
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if match := PATTERN.search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {match[0]!r}")
    assert not found, f"{len(found)} banned phrases:\n" + "\n".join(found)
