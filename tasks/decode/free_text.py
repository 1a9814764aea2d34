"""Lists as the original wrote them: greedy text that nothing holds to the catalogue."""

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

from tasks.decode.config import FreeText
from tasks.decode.model_rows import Rows
from tasks.decode.parsing import Catalogue, parse_list
from tasks.eligibility import news_for
from tasks.hub import load_tokenizer
from tasks.nn.examples import Examples
from tasks.nn.out_of_memory import run_with_oom_split
from tasks.progress import progress
from tasks.ranked_lists import LIST, list_table
from tasks.readout.inference import load_merged
from tasks.readout.resumable_batches import LISTS, iter_batches
from tasks.store.artifacts import Adapter, Base, Prompts, SplitRatings

Ints = NDArray[np.integer]


def write_free_lists(
    draft: Path,
    adapter: Adapter,
    base: Base,
    prompts: Prompts,
    split: SplitRatings,
    config: FreeText,
) -> dict[str, Any]:
    """Leave the parsed lists in the draft; return how often each failure was met."""
    model, tokenizer = load_merged(base, adapter), load_tokenizer(base)
    films = prompts.scan("films").collect()
    catalogue = Catalogue.of(films, prompts.metadata["rating_prefix"])
    rows: list[tuple[Any, ...]] = []
    left = config.users or prompts.metadata["examples"].get("test recommend", 0)
    with progress("free text", left, "users") as bar:
        for batch in iter_batches(prompts, config.users_per_batch, LISTS):
            if left > 0:
                some = batch.examples.slice(0, left)
                texts = _texts(model, tokenizer, some, config, bar.update)
                rows += _rows(texts, some, split, films, catalogue, config.list_length)
                left -= len(some)
    schema = pl.Schema([*LIST.items(), ("error", pl.String)])
    lists = pl.DataFrame(rows, schema, orient="row")
    list_table(lists, config.predictor).write_parquet(draft / "lists.parquet")
    met = lists.group_by("error").len().sort("error", nulls_last=True).rows()
    counts = {name or "none": n for name, n in met}
    (draft / "failures.json").write_text(json.dumps(counts, indent=1))
    return {"predictor": config.predictor, "failures": counts}


def _texts(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    examples: pa.Table,
    config: FreeText,
    done: Callable[[int], object],
) -> list[str]:
    prefixes = [e.prefix for e in Examples.from_table(examples).take(range(len(examples)))]

    def write(some: Sequence[Ints]) -> list[str]:
        end, most = tokenizer.eos_token_id, config.new_tokens
        written = generate(model, some, most, config.repetition_penalty, end)
        return [str(tokenizer.decode(tokens, skip_special_tokens=True)) for tokens in written]

    texts: list[str] = []
    for first in range(0, len(prefixes), config.micro_batch_rows):
        for some in run_with_oom_split(prefixes[first : first + config.micro_batch_rows], write):
            texts += some
            done(len(some))
    return texts


def generate(
    model: nn.Module, prefixes: Sequence[Ints], most: int, penalty: float, end: int | None
) -> list[list[int]]:
    """Greedy continuations; a token that stands in a row already is made less likely there.

    The penalty divides positive logits and multiplies negative ones (Keskar et al., 2019,
    arXiv 1909.05858), as the library's generation does.
    """
    size = int(getattr(model, "config").vocab_size)  # noqa: B009
    rows = Rows(model, np.arange(size), prefixes)
    stood = np.zeros((len(prefixes), size), bool)
    for row, prefix in enumerate(prefixes):
        stood[row, prefix] = True
    written: list[list[int]] = [[] for _ in prefixes]
    open_rows = set(range(len(prefixes)))
    for _ in range(most):
        logits = rows.logits
        damped = np.where(logits > 0, logits / penalty, logits * penalty)
        best = np.where(stood, damped, logits).argmax(1)
        for row in sorted(open_rows):
            written[row].append(int(best[row]))
            stood[row, best[row]] = True
            if best[row] == end:
                open_rows.discard(row)
        if not open_rows:
            break
        rows.show([written[row][-1:] if row in open_rows else [] for row in range(len(written))])
    return written


def _rows(
    texts: Sequence[str],
    examples: pa.Table,
    split: SplitRatings,
    films: pl.DataFrame,
    catalogue: Catalogue,
    length: int,
) -> list[tuple[Any, ...]]:
    """Rows of LIST with the failure behind them."""
    users, fold = examples["user_id"].to_numpy(), examples["fold"][0].as_py()
    news = news_for(users, fold, split.scan("ratings"), films)
    film_ids = films["film_id"].to_numpy()
    rows = []
    for user, text, may in zip(users, texts, news, strict=True):
        entries = parse_list(text, catalogue, set(film_ids[may].tolist()), length)
        for rank, entry in enumerate(entries, 1):
            head = (fold, int(user), rank, entry.film_id, entry.title, entry.rating)
            rows.append((*head, -float(rank), entry.failure))
    return rows
