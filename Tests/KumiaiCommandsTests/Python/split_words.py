"""Reads a JSON list of instructions from standard input; writes each one's words and ids, or null if it is refused."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "Examples/pytorch"))
import kumiai_policy  # noqa: E402


class Reader:
    """The part of a policy that `tokenize` needs."""

    n_words, config = 12, {"vocab_size": 512}
    tokenize = kumiai_policy.Policy.tokenize


def read(text):
    try:
        return {"words": kumiai_policy.split_words(text), "ids": Reader().tokenize(text).tolist()}
    except ValueError:
        return None


print(json.dumps([read(text) for text in json.load(sys.stdin)]))
