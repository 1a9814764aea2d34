"""Counts the tokens of a test user in the profile nightly, and computes hours for BLOOM-1b7.

    python -m bench.tokens path/to/ml-latest-small      a minute on two cores, no GPU

Prompts have damped biases as the prior, whose tokens are as many as those of the fitted one.
`apart` reads the context for each question anew, `together` once, both with all suffixes of half
stars, and both read finished lists again; `now` reads half stars of some candidates only, and
the ratings of lists off the keys and values that decoding kept. The tokenizer splits words as
BLOOM's does and is trained on the titles. `hours` are for `--users` tested and half as many
validated: 2 FLOPs for each weight of the layers and token, and of the output layer and token of a
text; 4 for each pair of tokens, hidden number and layer; at assumed sustained TFLOP/s. Pairs are
those of blocks of 128 in which something is visible, as FlexAttention computes them; on a T4, which
cannot run it, all of a row, and texts have rows of their own.
"""

import argparse
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import nn

from bench.data_path import settings_of
from bench.gpu_run import write_base
from bench.train_samples import SHAPES
from tasks.base.config import BaseModelConfig
from tasks.base.task import build_tokenizer
from tasks.ingest.task import ingest_ratings
from tasks.nn.collate import collate
from tasks.nn.examples import Example, Examples
from tasks.nn.flex_attention import BLOCK, block_mask
from tasks.nn.packing import PackedExample
from tasks.prompt.task import write_candidate_prompts, write_prompts
from tasks.rank.config import Retrieve
from tasks.rank.task import retrieve_candidates
from tasks.read.questions import ListQuestion
from tasks.readout.batches import LISTS, RATE, iter_batches
from tasks.readout.config import Inference
from tasks.readout.inference import Questions, Reader
from tasks.readout.rating_trie import RatingTrie
from tasks.split.task import split_ratings
from tasks.store.artifacts import CandidatePrompts, Prompts
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer
from tasks.validate.task import validate_ratings

SHAPE = SHAPES["1b7"]
WEIGHTS = 12 * SHAPE.layers * SHAPE.hidden**2
CARDS = {"T4": (25, 7), "A10": (60, 20), "A100": (170, 50), "H100": (350, 90)}  # linear, attention
APART = ("rate", "candidates", "likelihoods", "decode a list", "read the list's ratings")
TOGETHER = ("rate, candidates, likelihoods", "decode a list", "read the list's ratings")
NOW = ("rate, some candidates whole, likelihoods", "decode a list and read its ratings")
DENSE = ("rate and some candidates whole", "likelihoods")  # in rows of their own
SERVED = "some candidates whole"
EVERYONE = 138_493  # users of MovieLens 20M


class Read(NamedTuple):
    """Of one kind of reading, means of a user: tokens, tokens of texts, and pairs of tokens."""

    tokens: float
    labels: float
    row_pairs: float
    block_pairs: float

    def flops(self, *, dense: bool) -> tuple[float, float]:
        """In matrices, and in attention."""
        output = SHAPE.vocabulary * SHAPE.hidden * self.labels
        pairs = self.row_pairs if dense else self.block_pairs
        return 2 * (WEIGHTS * self.tokens + output), 4 * pairs * SHAPE.hidden * SHAPE.layers


def count(rows: Iterable[PackedExample]) -> Read:
    """Means over users, each in a row of its own."""
    found = []
    for row in rows:
        starts, ends = collate([row], [[0]], BLOCK).visible_ranges.int().unbind(-1)
        mask = block_mask(starts, ends, lambda _row, _head, _token, column: column)
        blocks = int(mask.kv_num_blocks.sum())
        if mask.full_kv_num_blocks is not None:
            blocks += int(mask.full_kv_num_blocks.sum())
        found.append((len(row), len(row.labels), starts.shape[1] ** 2, blocks * BLOCK**2))
    return Read(*np.mean(found, 0).tolist())


def write_profile_prompts(
    data: Path, root: Path, users: int
) -> tuple[Prompts, CandidatePrompts, RatingTrie, Any]:
    """Of the profile, for so many test users: the prompts, the spelling, and the tokenizer."""
    settings, store = settings_of(data), Store(root / "store")
    titles = pl.read_csv(data / "movies.csv")["title"].to_list()
    write_base(root / "base", "mini", titles)
    ratings = validate_ratings.fn(
        ingest_ratings.fn(config=settings.ingest, store=store),
        config=settings.validation,
        store=store,
    )
    config = settings.split.model_copy(update={"test_users": users})
    split = split_ratings.fn(ratings, config=config, store=store)
    base = BaseModelConfig(name=str(root / "base"))
    tokenizer = build_tokenizer.fn(ratings, split, config=base, store=store)
    known = (split, ratings, tokenizer)
    prompts = write_prompts.fn(*known, config=settings.prompt, store=store)
    candidates = retrieve_candidates.fn(split, config=Retrieve(), store=store)
    of_candidates = write_candidate_prompts.fn(
        *known, candidates, config=settings.prompt, store=store
    )
    words = load_tokenizer(tokenizer)
    trie = RatingTrie.from_tokenizer(
        words, prompts.metadata["scale"], prompts.metadata["rating_prefix"]
    )
    return prompts, of_candidates, trie, words


def only_ratings(answer: Example) -> Example:
    """A list of which the ratings are read."""
    spans = {name: values[_rated(answer)] for name, values in vars(answer.spans).items()}
    return replace(answer, spans=type(answer.spans)(**spans))


def _rated(answer: Example) -> NDArray[np.bool_]:
    return ~np.isnan(answer.spans.rating)


def read_of_users(data: Path, root: Path, users: int) -> dict[str, Read]:
    """What is read of a user, by what it is read for."""
    prompts, of_candidates, trie, words = write_profile_prompts(data, root, users)
    reader = Reader(nn.Identity(), trie, Inference())
    whole = Reader(nn.Identity(), trie, Inference(whole_ratings=None))
    question, given = ListQuestion.of(of_candidates, words), {"target": prompts}
    (batch,) = iter_batches(given | {"candidate": of_candidates}, users, RATE[1:])
    examples = Examples.from_table(batch.examples).take(range(len(batch.examples)))
    rows, questions = batch.examples.to_pylist(), list[Questions]()
    for target, candidates, row in zip(examples[::2], examples[1::2], rows[1::2], strict=True):
        questions.append(Questions([target, candidates], [question.ask(candidates, row)]))
    (lists,) = iter_batches(given, users, LISTS)
    answers = Examples.from_table(lists.examples).take(range(len(lists.examples)))
    parts = {
        "rate": [Questions([user.rated[0]]) for user in questions],
        "candidates": [Questions([user.rated[1]]) for user in questions],
        "likelihoods": [Questions([], user.texts) for user in questions],
        TOGETHER[0]: questions,
        "decode a list": [Questions([], [one]) for one in answers],
        "read the list's ratings": [Questions([only_ratings(one)]) for one in answers],
    }
    read = {name: count(map(whole.pack, of)) for name, of in parts.items()}
    read[NOW[0]] = count(map(reader.pack, questions))
    read[DENSE[0]] = count(reader.pack(Questions(user.rated)) for user in questions)
    read[SERVED] = count(reader.pack(Questions(user.rated[1:])) for user in questions)
    read[NOW[1]] = _decode_and_read(read, float(np.mean([_rated(one).sum() for one in answers])))
    return read


def _decode_and_read(read: dict[str, Read], ratings: float) -> Read:
    """One pass over the list and all suffixes; the token before each rating is fed once more."""
    decoded, both = read["decode a list"], read["read the list's ratings"]
    return both._replace(tokens=both.tokens + ratings, labels=decoded.labels)


def hours(reads: Iterable[Read], users: float, card: str) -> float:
    """Of so many users on a card."""
    total = 0.0
    for read in reads:
        flops = read.flops(dense=card == "T4")
        total += sum(f / (t * 1e12) for f, t in zip(flops, CARDS[card], strict=True))
    return users * total / 3600


def main() -> None:
    """Count, print, and write JSON with `--json`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="a folder of MovieLens")
    parser.add_argument("--counted", type=int, default=277, help="test users to count")
    parser.add_argument("--users", type=int, default=5000, help="test users to compute hours of")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        read = read_of_users(arguments.data.resolve(), Path(folder), arguments.counted)
    tokens = {name: round(one.tokens) for name, one in read.items()}
    for name, parts in {"apart": APART, "together": TOGETHER, "now": NOW}.items():
        tokens[f"a user, {name}"] = round(sum(read[part].tokens for part in parts))
    found: dict[str, Any] = {"tokens": tokens, "hours": {}}
    for card in CARDS:
        now = DENSE if card == "T4" else NOW[:1]
        tested, rated = arguments.users, 1.5 * arguments.users  # lists have no validation users
        rows = {
            "apart": (rated, APART[:3]),
            "now": (rated, now),
            "lists, apart": (tested, APART[3:]),
            "lists, now": (tested, NOW[1:]),
            "everyone's candidates, all whole": (EVERYONE, APART[1:2]),
            "everyone's candidates, now": (EVERYONE, (SERVED,)),
        }
        found["hours"][card] = {
            name: round(hours([read[part] for part in parts], users, card), 3)
            for name, (users, parts) in rows.items()
        }
    text = json.dumps(found, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text)


if __name__ == "__main__":
    main()
