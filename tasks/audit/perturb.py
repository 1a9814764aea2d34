"""Perturbs the contexts of some test examples, to see whether the model reads them.

Questions and target lines stay as they are, with their features; only the context changes.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from tasks.audit.config import Ablation, Perturbation
from tasks.seeded_hash import permute
from tasks.store.artifacts import Prompts, Tokenizer
from tasks.templates import Template, read_template
from tasks.text_tokenizer import load_tokenizer

Line = tuple[str, ...]  # the film with its genres, each feature, the rating with its line's end
Tokenize = Callable[[Sequence[str]], list[list[int]]]


def write_perturbed(
    draft: Path,
    prompts: Prompts,
    tokenizer: Tokenizer,
    perturbation: Perturbation,
    config: Ablation,
) -> dict[str, Any]:
    """Write perturbed examples of a seeded sample of the test users; return the metadata."""
    template = read_template(prompts)
    loaded: Any = load_tokenizer(tokenizer)
    examples = prompts.scan("examples").filter(fold="test", kind="rate").sort("example").collect()
    drawn = np.sort(permute(len(examples), config.seed, "sample of ablations")[: config.users])
    table = examples[drawn]
    lines = [split_lines(text, template) for text in table["context"]]
    contexts = perturb(lines, perturbation, config.seed)
    wording = Wording(template, lambda texts: loaded(texts, add_special_tokens=False)["input_ids"])
    questions = table["question"].to_list()
    columns = {
        "context": pl.Series([wording.join(lines) for lines in contexts]),
        "prefix_tokens": pl.Series(
            [wording.tokenize(lines, q) for lines, q in zip(contexts, questions, strict=True)],
            dtype=table.schema["prefix_tokens"],
        ),
    }
    schema = pq.read_schema(prompts.files("examples")[0])
    perturbed = table.with_columns(**columns).to_arrow().cast(schema)
    pq.write_table(perturbed, draft / "shard-00000.parquet", compression="zstd")
    copyfile(prompts.files("films")[0], draft / "films.parquet")
    return prompts.metadata | {"examples": {"test rate": len(table)}, "perturbation": perturbation}


def perturb(contexts: list[list[Line]], perturbation: Perturbation, seed: int) -> list[list[Line]]:
    """The contexts after the perturbation, in the same order of users."""
    match perturbation:
        case "shuffled":  # each user gets another user's
            order = permute(len(contexts), seed, perturbation)
            after = dict(zip(order, np.roll(order, 1), strict=True))
            return [contexts[after[i]] for i in range(len(contexts))]
        case "retitled":  # ratings and features stay, films are shuffled over all contexts
            films = [line[0] for lines in contexts for line in lines]
            others = (films[i] for i in permute(len(films), seed, perturbation))
            return [[(next(others), *line[1:]) for line in lines] for lines in contexts]
        case "reversed":
            return [lines[::-1] for lines in contexts]
        case "empty":
            return [[] for _ in contexts]


def split_lines(context: str, template: Template) -> list[Line]:
    """The lines of a context, each cut into the pieces that are tokenized separately."""
    text = context.removeprefix(template.opening)
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)
    return [_cut(line, len(template.features)) for line in lines]


def _cut(line: str, features: int) -> Line:
    title, genres, *rest = line.rsplit(", ", 2 + features)
    return (f"{title}, {genres}", *(f", {piece}" for piece in rest))


class Wording:
    """Texts and tokens of contexts, as a template spells them."""

    def __init__(self, template: Template, tokenize_texts: Tokenize) -> None:
        self.template = template
        self.tokenize_texts = tokenize_texts

    def join(self, lines: list[Line]) -> str:
        """The context as text."""
        return self.template.opening + "".join(piece for line in lines for piece in line)

    def tokenize(self, lines: list[Line], question: str) -> list[int]:
        """Context and question as tokens: tokenized whole, or piece by piece."""
        pieces = [self.join(lines) + question]
        if self.template.tokenize_per_line:
            pieces = [self.template.opening, *(p for line in lines for p in line), question]
        return [token for tokens in self.tokenize_texts(pieces) for token in tokens]
