"""Writes prompts as text for `datasets.load_dataset`, and as JSONL for TRL."""

from pathlib import Path

import polars as pl

from tasks.plain_text import escape_markdown
from tasks.store.artifacts import Prompts

CARD = """---
configs:
{configs}
tags: [recommendation, movielens]
---
# Content Advisor: prompts of {dataset}, {protocol}

Prompt and completion, in TRL's format. `rate` completes a film's line with the user's rating,
`recommend` a list of films. `tokens` are those of the prompt as the adapter reads it; `log_prior`
are the log-probabilities of the ratings before the model has its say. `trl/` has prompt and
completion alone. Prompts {fingerprint}; the data set's own terms hold.

```python
from datasets import load_dataset

rate = load_dataset("path/of/this/folder", "rate", split="train")
```
"""


def write_prompts_folder(folder: Path, prompts: Prompts) -> int:
    """Write Parquet files, JSONL and the card; return the number of rows.

    Raises FileExistsError where the folder has files.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} has files: name a folder that is new or empty")
    (trl := folder / "trl").mkdir(parents=True)
    rows, configs = 0, []
    for kind, pairs in PAIRS.items():
        (folder / kind).mkdir()
        configs += [f"- config_name: {kind}", "  data_files:"]
        table = pairs(prompts.scan("examples").filter(kind=kind)).collect()
        for (fold,), part in sorted(table.partition_by("fold", as_dict=True).items()):
            part.write_parquet(folder / kind / f"{fold}.parquet")
            part.select("prompt", "completion").write_ndjson(trl / f"{kind}-{fold}.jsonl")
            configs += [f"  - split: {fold}", f"    path: {kind}/{fold}.parquet"]
            rows += len(part)
    dataset, protocol = (escape_markdown(prompts.metadata[n]) for n in ("dataset", "protocol"))
    text = CARD.format(
        configs="\n".join(configs),
        dataset=dataset,
        protocol=protocol,
        fingerprint=prompts.fingerprint,
    )
    (folder / "README.md").write_text(text)
    return rows


def _rate(examples: pl.LazyFrame) -> pl.LazyFrame:
    """One row a branch, whose text is split before the rating."""
    of_one_rating = pl.col("answers").list.len() == pl.col("spans").list.len()
    rows = examples.filter(of_one_rating).explode(
        "answers", "branch_tokens", "film_ids", "ratings", "spans"
    )
    halves = pl.col("answers").str.extract_groups(r"(?s)^(.*[^\d.])(\d+\.\d\D*)$").struct
    start, log_prior = (pl.col("spans").struct.field(name) for name in ("start", "log_prior"))
    return rows.filter(pl.col("answers").is_not_null()).select(
        "fold", "user_id",
        film_id="film_ids", rating="ratings",
        prompt=pl.concat_str("context", "question", halves[0]), completion=halves[1],
        tokens=pl.concat_list("prefix_tokens", pl.col("branch_tokens").list.head(start)),
        log_prior=log_prior,
    )  # fmt: skip


def _recommend(examples: pl.LazyFrame) -> pl.LazyFrame:
    """One row an example."""
    return examples.select(
        "fold", "user_id", "film_ids", "ratings",
        prompt=pl.concat_str("context", "question"), completion=pl.col("answers").list.first(),
        tokens="prefix_tokens",
    )  # fmt: skip


PAIRS = {"rate": _rate, "recommend": _recommend}
