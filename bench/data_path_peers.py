"""The same way as others go it: DuckDB's bare copy, a pandas user's, and the original's loop."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
from transformers import PreTrainedTokenizerBase

from tasks.base.tokenizer import train_tokenizer
from tasks.store.artifacts import Tokenizer
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer

SHOWN, ASKED, LIST = 30, 10, 40
SCALE = [half / 2 for half in range(1, 11)]


def learn_tokenizer(data: Path, store: Store) -> Tokenizer:
    """Byte-level BPE from the films' lines, in place of the one that a run would fetch."""
    films = pl.read_csv(data / "movies.csv")
    lines = films.select(pl.concat_str("title", "genres", separator=", "))["title"].to_list()

    def write(draft: Path) -> dict[str, Any]:
        train_tokenizer(lines, scale=SCALE, vocabulary=4096).save_pretrained(draft)
        return {"name": "bench", "vocabulary": 4096}

    return store.build(Tokenizer, recipe={"lines": len(lines)}, write=write)


def sampled(data: Path, folder: Path) -> tuple[Path, float]:
    """The first users with 1 % of the ratings, and their share of the ratings."""
    folder.mkdir(parents=True, exist_ok=True)
    ratings = pl.scan_csv(data / "ratings.csv")
    total = ratings.select(pl.len()).collect().item()
    last = ratings.slice(total // 100, 1).collect()["userId"].item()
    some = ratings.filter(pl.col("userId") < max(2, last)).collect()
    some.write_csv(folder / "ratings.csv", float_precision=1)
    pl.read_csv(data / "movies.csv").write_csv(folder / "movies.csv")
    return folder, some.height / total


def copied(data: Path, folder: Path) -> None:
    """DuckDB, keeping the order of the lines."""
    copy = f"copy (from '{data}/ratings.csv') to '{folder}/copy.parquet' (format parquet)"
    duckdb.sql(copy)


def pandas_way(data: Path, root: Path) -> None:
    """Checks, order, folds, facts of earlier ratings, lines, prompts by group, tokens."""
    ratings, films = pd.read_csv(data / "ratings.csv"), pd.read_csv(data / "movies.csv")
    good = ratings.rating.isin(SCALE) & ratings.movieId.isin(films.movieId)
    ratings = ratings[good & (ratings.userId > 0)]
    ratings = ratings.sort_values("timestamp").drop_duplicates(["userId", "movieId"], keep="last")
    before = ratings.groupby("movieId").rating
    ratings["guess"] = before.transform(lambda stars: stars.shift().expanding().mean()).fillna(3.0)
    ratings = ratings.sort_values(["userId", "timestamp", "movieId"]).merge(films, on="movieId")
    ratings = ratings.sort_values(["userId", "timestamp", "movieId"])
    ratings["line"] = ratings.apply(
        lambda r: f"{r.title}, {r.genres}, guess {r.guess:.1f}, Rating: {r.rating:.1f}\n", axis=1
    )
    by_user = ratings.groupby("userId").line
    shown = by_user.apply(lambda lines: "".join(lines.iloc[-SHOWN - ASKED : -ASKED]))
    answers = by_user.apply(lambda lines: "".join(lines.iloc[-ASKED:]))
    prompts = pd.DataFrame({"context": shown, "answer": answers})
    tokenizer = _tokenizer(root)
    for name in ("context", "answer"):
        prompts[f"{name}_tokens"] = prompts[name].apply(lambda text: tokenizer(text)["input_ids"])
    prompts.to_parquet(data / "prompts.parquet")


def looped(data: Path, root: Path) -> None:
    """As in the original's notebook: user by user, film by film, each looked up in the frames."""
    ratings, films = pd.read_csv(data / "ratings.csv"), pd.read_csv(data / "movies.csv")
    tokenizer = _tokenizer(root)
    rows = []
    for user in ratings.userId.unique():
        best = ratings[ratings.userId == user].sort_values("rating", ascending=False).head(LIST)
        lines = []
        for _, rating in best.iterrows():
            film = films[films.movieId == rating.movieId].iloc[0]
            lines.append(f"{film.title}, {film.genres}, Rating {rating.rating}\n")
        context, answer = "".join(lines[ASKED:]), "".join(lines[:ASKED])
        rows.append((context, answer, tokenizer(context + answer)["input_ids"]))
    table = pd.DataFrame(rows, columns=["Context", "Answer", "tokens"])
    table.to_parquet(data / "loop.parquet")


def _tokenizer(root: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(Store(root).find_all(Tokenizer)[-1])
