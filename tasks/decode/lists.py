"""Lists of films for the users of some examples, each film one that the user may be told of."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.decode.config import Decode
from tasks.decode.decoder import Decoder, Request
from tasks.decode.list_grammar import Alive, Draft, Grammar
from tasks.eligibility import news_for
from tasks.executor import Executor
from tasks.hub import load_tokenizer
from tasks.nn.examples import Example, Examples, SupervisedSpans
from tasks.nn.out_of_memory import run_with_oom_split
from tasks.ranked_lists import LIST, list_table, with_empty
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, load_merged
from tasks.readout.rating_trie import RatingTrie
from tasks.readout.resumable_batches import (
    LISTS,
    Batch,
    BatchJob,
    MakeTable,
    finish_batches,
    read_batches,
)
from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]


def write_lists(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: Decode,
    inference: Inference,
    executor: Executor,
) -> None:
    """Write lists.parquet: a list for every user of the test fold."""
    batches, inputs = draft / "batches", (adapter, base, prompts, split, config, inference)
    work = BatchJob("decode", prompts, inference.users_per_batch, load_writer, inputs, LISTS)
    finish_batches(batches, work, inference.workers, executor)
    lists = read_batches(batches, "recommend", LIST)
    list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    shutil.rmtree(batches)


def load_writer(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: Decode,
    inference: Inference,
) -> MakeTable:
    """A function that decodes the lists of a batch."""
    metadata, tokenizer = prompts.metadata, load_tokenizer(base)
    trie = RatingTrie.from_tokenizer(tokenizer, metadata["scale"], metadata["rating_prefix"])
    reader = Reader(load_merged(base, adapter), trie, inference)
    writer = ListWriter.of(reader, tokenizer, prompts, split, config)

    def decode(batch: Batch) -> pl.DataFrame:
        return writer.table(batch.examples)

    return decode


@dataclass(frozen=True)
class ListWriter:
    """Bound once: the decoder over the catalogue, who has seen what, and the settings."""

    reader: Reader
    decoder: Decoder
    films: pl.DataFrame
    split: SplitRatings
    config: Decode

    @classmethod
    def of(
        cls,
        reader: Reader,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Prompts,
        split: SplitRatings,
        config: Decode,
    ) -> "ListWriter":
        """For the films of the prompts, in their wording."""
        prefix = prompts.metadata["rating_prefix"]
        films = prompts.scan("films").collect()
        grammar = Grammar.of(films["tokens"].to_list(), reader.trie, tokenizer, prefix)
        beams = config.beams if config.decoding == "beam" else 1
        decoder = Decoder(reader.model, grammar, config.list_length, beams, config.temperature)
        # "Heat (1995), Action|Crime, Rating: ": the title ends where the genres begin.
        title = pl.col("line").str.strip_suffix(prefix).str.replace(r", [^,]*$", "")
        return cls(reader, decoder, films.with_columns(title=title), split, config)

    def table(self, examples: pa.Table) -> pl.DataFrame:
        """One row a user and rank, or an empty one; the users are of one fold."""
        users, fold = examples["user_id"].to_numpy(), examples["fold"][0].as_py()
        prefixes = [
            example.prefix for example in Examples.from_table(examples).take(range(len(users)))
        ]
        news = news_for(users, fold, self.split.scan("ratings"), self.films)
        may = news[:, self.decoder.grammar.films.order]
        drafts = self._write(prefixes, may, users)
        entries = [entry for draft in drafts for entry in draft.entries]
        lengths = [len(draft.entries) for draft in drafts]
        named = self.films[[entry.film for entry in entries]]
        lists = pl.DataFrame(
            {
                "fold": [fold] * len(entries),
                "user_id": np.repeat(users, lengths),
                "rank": [rank + 1 for length in lengths for rank in range(length)],
                "film_id": named["film_id"],
                "title": named["title"],
                "rating": self._expected(prefixes, drafts),
                "score": [entry.film_log_p for entry in entries],
            },
            LIST,
        )
        return with_empty(lists, pl.DataFrame({"fold": [fold] * len(users), "user_id": users}))

    def _write(self, prefixes: Sequence[Ints], may: Alive, users: Ints) -> list[Draft]:
        """Users with prefixes of like length together; the order given is kept."""

        def run(some: Sequence[int]) -> dict[int, Draft]:
            # Noise begins anew, should memory have run out in the middle of it.
            requests = [Request(prefixes[i], may[i], self._noise(int(users[i]))) for i in some]
            return dict(zip(some, self.decoder.write(requests), strict=True))

        order = sorted(range(len(users)), key=lambda i: len(prefixes[i]))
        drafts: dict[int, Draft] = {}
        at_once = self.reader.config.micro_batch_rows
        for first in range(0, len(order), at_once):
            for written in run_with_oom_split(order[first : first + at_once], run):
                drafts |= written
        return [drafts[i] for i in range(len(users))]

    def _noise(self, user: int) -> np.random.Generator | None:
        if self.config.decoding != "sample":
            return None
        return np.random.default_rng([self.config.seed, user])

    def _expected(self, prefixes: Sequence[Ints], drafts: Sequence[Draft]) -> Floats:
        """What the model expects each rating of the lists to be, list after list.

        Where several tokens spell a rating, no one step of the decoding tells it, and the finished
        lists are read once more.
        """
        scale = np.asarray(self.reader.trie.scale)
        told = [entry.log_p for draft in drafts for entry in draft.entries]
        if all(log_p is not None for log_p in told):
            return np.exp(np.array(told).reshape(-1, len(scale))) @ scale
        lists = [
            Example(prefix, [np.array(draft.tokens)], _ratings_of(draft))
            for prefix, draft in zip(prefixes, drafts, strict=True)
        ]
        return np.exp(self.reader.read(lists)) @ scale


def _ratings_of(draft: Draft) -> SupervisedSpans:
    """Where the ratings of a list stand, as if nobody knew them."""
    size = len(draft.entries)
    return SupervisedSpans(
        np.zeros(size, np.int16),
        np.array([entry.start for entry in draft.entries]),
        np.array([entry.end for entry in draft.entries]),
        np.full(size, np.nan, np.float32),
    )
