"""Generates lists as the original did: greedy free text, not held to the catalogue."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedTokenizerBase

from tasks.decode.cached_rows import CachedRows
from tasks.decode.config import FreeText
from tasks.decode.parsing import TitleIndex, parse_list
from tasks.eligibility import eligible_films
from tasks.nn.examples import Examples
from tasks.nn.out_of_memory import MemoryLimit
from tasks.progress import progress
from tasks.ranked_lists import LIST, to_list_table
from tasks.readout.batches import LISTS, iter_batches
from tasks.readout.load import load_merged
from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings
from tasks.text_tokenizer import load_tokenizer

Ints = NDArray[np.integer]


def write_free_lists(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: FreeText,
) -> dict[str, Any]:
    """Write the parsed lists; return how often each error occurred, as errors.json has it."""
    model, tokenizer = load_merged(base, adapter), load_tokenizer(base)
    films = prompts.scan("films").collect()
    index = TitleIndex.from_lines(films, prompts.metadata["rating_prefix"])
    rows: list[tuple[Any, ...]] = []
    limit = MemoryLimit()
    left = config.users or prompts.metadata["examples"].get("test recommend", 0)
    with progress("free text", left, "users") as bar:
        for batch in iter_batches({"target": prompts}, config.users_per_batch, LISTS):
            if left > 0:
                examples = batch.examples.slice(0, left)
                texts = _generate_texts(model, tokenizer, examples, config, limit, bar.update)
                rows += _parse_texts(texts, examples, split, films, index, config.list_length)
                left -= len(examples)
    schema = pl.Schema([*LIST.items(), ("error", pl.String)])
    lists = pl.DataFrame(rows, schema, orient="row")
    to_list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    counts = lists.group_by("error").len().sort("error", nulls_last=True).rows()
    errors = {name or "none": n for name, n in counts}
    (draft / "errors.json").write_text(json.dumps(errors, indent=1))
    return {"predictor": config.predictor, "errors": errors}


def _generate_texts(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    examples: pa.Table,
    config: FreeText,
    limit: MemoryLimit,
    done: Callable[[int], object],
) -> list[str]:
    prefixes = [e.prefix for e in Examples.from_table(examples).take(range(len(examples)))]

    def run(rows: Sequence[Ints]) -> list[str]:
        end, most = tokenizer.eos_token_id, config.new_tokens
        generated = generate(model, rows, most, config.repetition_penalty, end)
        return [str(tokenizer.decode(tokens, skip_special_tokens=True)) for tokens in generated]

    texts: list[str] = []
    for some in limit.run(prefixes, run, len, config.micro_batch_rows):
        texts += some
        done(len(some))
    return texts


def generate(
    model: nn.Module, prefixes: Sequence[Ints], most: int, penalty: float, end: int | None
) -> list[list[int]]:
    """Greedy continuations of at most `most` tokens, with a penalty on tokens already in the row.

    The penalty divides positive logits and multiplies negative ones (Keskar et al., 2019,
    arXiv 1909.05858), as transformers' generate does.
    """
    size = int(getattr(model, "config").vocab_size)  # noqa: B009
    rows = CachedRows(model, np.arange(size), prefixes)
    used = np.zeros((len(prefixes), size), bool)
    for row, prefix in enumerate(prefixes):
        used[row, prefix] = True
    generated: list[list[int]] = [[] for _ in prefixes]
    open_rows = set(range(len(prefixes)))
    for _ in range(most):
        logits = rows.logits
        penalised = np.where(logits > 0, logits / penalty, logits * penalty)
        best = np.where(used, penalised, logits).argmax(1)
        for row in sorted(open_rows):
            generated[row].append(int(best[row]))
            used[row, best[row]] = True
            if best[row] == end:
                open_rows.discard(row)
        if not open_rows:
            break
        rows.feed([generated[row][-1:] if row in open_rows else [] for row in range(len(prefixes))])
    return generated


def _parse_texts(
    texts: Sequence[str],
    examples: pa.Table,
    split: SplitRatings,
    films: pl.DataFrame,
    index: TitleIndex,
    length: int,
) -> list[tuple[Any, ...]]:
    """Rows of LIST and error."""
    users, fold = examples["user_id"].to_numpy(), examples["fold"][0].as_py()
    eligible = eligible_films(users, fold, split.scan("ratings"), films)
    film_ids = films["film_id"].to_numpy()
    rows = []
    for user, text, mask in zip(users, texts, eligible, strict=True):
        lines = parse_list(text, index, set(film_ids[mask].tolist()), length)
        for rank, line in enumerate(lines, 1):
            head = (fold, int(user), rank, line.film_id, line.title, line.rating)
            rows.append((*head, -float(rank), line.error))
    return rows
