"""Decodes lists for the test users, of films that are eligible for each."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.decode.config import Decode
from tasks.decode.decoder import Decoder, ListRequest
from tasks.decode.list_grammar import Entry, Grammar, Hypothesis, Mask
from tasks.eligibility import eligible_films
from tasks.executor import Executor
from tasks.nn.examples import Examples
from tasks.nn.free_memory import decodable_tokens
from tasks.nn.out_of_memory import MemoryLimit
from tasks.ranked_lists import LIST, add_empty_lists, to_list_table
from tasks.readout.batches import LISTS
from tasks.readout.config import Inference
from tasks.readout.inference import Reader
from tasks.readout.load import load_reader
from tasks.readout.resumable_batches import BatchJob, MakeTable, finish_batches, read_batches
from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings
from tasks.text_tokenizer import load_tokenizer

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
    job = BatchJob(
        "decode", {"target": prompts}, inference.users_per_batch, load_writer, inputs, LISTS
    )
    finish_batches(batches, job, inference.workers, executor)
    lists = read_batches(batches, "recommend", LIST)
    to_list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    shutil.rmtree(batches)


def load_writer(
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: Decode,
    inference: Inference,
) -> MakeTable:
    """Load the model; return a function that decodes the lists of a batch."""
    reader = load_reader(adapter, base, prompts, inference)
    writer = ListWriter.from_prompts(reader, load_tokenizer(base), prompts, split, config)
    return lambda batch: writer.decode(batch.examples)


@dataclass(frozen=True)
class ListWriter:
    """The decoder over the catalogue, with what it reads and the settings."""

    reader: Reader
    decoder: Decoder
    films: pl.DataFrame
    split: SplitRatings
    config: Decode
    limit: MemoryLimit = field(default_factory=MemoryLimit)

    @classmethod
    def from_prompts(
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
        grammar = Grammar.from_lines(films["tokens"].to_list(), reader.trie, tokenizer, prefix)
        beams = config.beams if config.decoding == "beam" else 1
        decoder = Decoder(
            reader.model, grammar, reader.trie, config.list_length, beams, config.temperature
        )
        # "Heat (1995), Action|Crime, Rating: ": the title ends where the genres begin.
        title = pl.col("line").str.strip_suffix(prefix).str.replace(r", [^,]*$", "")
        return cls(reader, decoder, films.with_columns(title=title), split, config)

    def decode(self, examples: pa.Table) -> pl.DataFrame:
        """One row a user and rank, or an empty one. The users are of one fold."""
        users, fold = examples["user_id"].to_numpy(), examples["fold"][0].as_py()
        prefixes = [
            example.prefix for example in Examples.from_table(examples).take(range(len(users)))
        ]
        eligible = eligible_films(users, fold, self.split.scan("ratings"), self.films)
        allowed = eligible[:, self.decoder.grammar.films.order]
        hypotheses = self._decode(prefixes, allowed, users)
        entries = [entry for hypothesis in hypotheses for entry in hypothesis.entries]
        lengths = [len(hypothesis.entries) for hypothesis in hypotheses]
        named = self.films[[entry.film for entry in entries]]
        lists = pl.DataFrame(
            {
                "fold": [fold] * len(entries),
                "user_id": np.repeat(users, lengths),
                "rank": [rank + 1 for length in lengths for rank in range(length)],
                "film_id": named["film_id"],
                "title": named["title"],
                "rating": self._expect_ratings(entries),
                "score": [entry.film_log_p for entry in entries],
            },
            LIST,
        )
        return add_empty_lists(lists, pl.DataFrame({"fold": [fold] * len(users), "user_id": users}))

    def _decode(self, prefixes: Sequence[Ints], allowed: Mask, users: Ints) -> list[Hypothesis]:
        """The users' lists in their order; prefixes of similar length share a batch."""

        def run(rows: Sequence[int]) -> dict[int, Hypothesis]:
            # The generators are made here, so that a batch that ran out of memory draws again.
            requests = [
                ListRequest(prefixes[i], allowed[i], self._make_noise(int(users[i]))) for i in rows
            ]
            return dict(zip(rows, self.decoder.decode(requests), strict=True))

        order = sorted(range(len(users)), key=lambda i: len(prefixes[i]))
        hypotheses: dict[int, Hypothesis] = {}
        lines = self.config.list_length * int(self.decoder.grammar.films.lengths.max())
        width, at_once = len(prefixes[order[-1]]) + lines, self.reader.config.micro_batch_rows
        budget = decodable_tokens(self.reader.model, width) / self.decoder.beams
        for finished in self.limit.run(order, run, lambda _: width, at_once, budget):
            hypotheses |= finished
        return [hypotheses[i] for i in range(len(users))]

    def _make_noise(self, user: int) -> np.random.Generator | None:
        if self.config.decoding != "sample":
            return None
        return np.random.default_rng([self.config.seed, user])

    def _expect_ratings(self, entries: Sequence[Entry]) -> Floats:
        """In stars."""
        scale = np.asarray(self.reader.trie.scale)
        log_p = np.array([entry.log_p for entry in entries])
        return np.exp(log_p.reshape(-1, len(scale))) @ scale
