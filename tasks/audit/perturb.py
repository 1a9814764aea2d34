"""Spoils the contexts of some test examples, to see whether the model reads them.

What is asked stays as it is, with the facts in its line; only what stands before it changes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pydantic
from transformers import AutoTokenizer

from tasks.audit.config import Ablation, Perturbation
from tasks.store.artifacts import Prompts, Tokenizer
from tasks.templates import Compact, Original, Template

Line = tuple[str, ...]  # the film with its genres, each fact, the rating with its line's end
Words = Callable[[Sequence[str]], list[list[int]]]


def write_perturbed(
    draft: Path,
    prompts: Prompts,
    tokenizer: Tokenizer,
    perturbation: Perturbation,
    config: Ablation,
) -> dict[str, Any]:
    """Write the examples of a seeded sample of the test users, spoilt; return the notes."""
    template: Compact | Original = pydantic.TypeAdapter(Template).validate_python(
        prompts.manifest["recipe"]["template"]
    )
    loaded: Any = AutoTokenizer.from_pretrained(tokenizer.path)
    asked = prompts.scan("examples").filter(fold="test", kind="rate").sort("example").collect()
    random = np.random.default_rng(config.seed)
    drawn = np.sort(random.permutation(len(asked))[: config.users])
    table = asked[drawn]
    contexts = perturb(
        [lines_of(text, template) for text in table["context"]], perturbation, random
    )
    words = Wordings(template, lambda texts: loaded(texts, add_special_tokens=False)["input_ids"])
    questions = table["question"].to_list()
    columns = {
        "context": pl.Series([words.text(lines) for lines in contexts]),
        "prefix_tokens": pl.Series(
            [words.tokens(lines, q) for lines, q in zip(contexts, questions, strict=True)],
            dtype=table.schema["prefix_tokens"],
        ),
    }
    schema = pq.read_schema(prompts.files("examples")[0])
    spoilt_table = table.with_columns(**columns).to_arrow().cast(schema)
    pq.write_table(spoilt_table, draft / "shard-00000.parquet", compression="zstd")
    copyfile(prompts.files("films")[0], draft / "films.parquet")
    return prompts.metadata | {"examples": {"test rate": len(table)}, "perturbation": perturbation}


def perturb(
    contexts: list[list[Line]], perturbation: Perturbation, random: np.random.Generator
) -> list[list[Line]]:
    """The contexts with what is spoilt in them."""
    match perturbation:
        case "shuffled":  # everybody gets another's
            order = random.permutation(len(contexts))
            after = dict(zip(order, np.roll(order, 1), strict=True))
            return [contexts[after[i]] for i in range(len(contexts))]
        case "retitled":  # ratings and facts stay, the films change places among all contexts
            films = random.permutation([line[0] for lines in contexts for line in lines])
            others = iter(films.tolist())
            return [[(next(others), *line[1:]) for line in lines] for lines in contexts]
        case "reversed":
            return [lines[::-1] for lines in contexts]
        case "empty":
            return [[] for _ in contexts]


def lines_of(context: str, template: Template) -> list[Line]:
    """The lines of a context, each cut into what was tokenised by itself."""
    lines = context.removeprefix(template.opening).splitlines(keepends=True)
    return [_cut(line, len(template.features)) for line in lines]


def _cut(line: str, facts: int) -> Line:
    title, genres, *rest = line.rsplit(", ", 2 + facts)
    return (f"{title}, {genres}", *(f", {piece}" for piece in rest))


class Wordings:
    """Texts and tokens of contexts, in the manner of a template."""

    def __init__(self, template: Template, words: Words) -> None:
        self.template = template
        self.words = words

    def text(self, lines: list[Line]) -> str:
        """The context as a text."""
        return self.template.opening + "".join(piece for line in lines for piece in line)

    def tokens(self, lines: list[Line], question: str) -> list[int]:
        """Context and question as tokens: whole, or piece by piece."""
        pieces = [self.text(lines) + question]
        if self.template.tokenize_per_line:
            pieces = [self.template.opening, *(p for line in lines for p in line), question]
        return [token for tokens in self.words(pieces) for token in tokens]
