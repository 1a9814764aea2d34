"""A night's model on the fast path, on the plain path, and in the original's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import torch
from numpy.typing import NDArray

from flows.recommend import latest_champion_ranking
from tasks.decode.config import Decode
from tasks.decode.lists import ListWriter
from tasks.decode.parsing import TitleIndex, parse_list
from tasks.eligibility import eligible_films
from tasks.hub import load_tokenizer
from tasks.nn.examples import Example, Examples
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.config import Retrieve
from tasks.rank.task import retrieve_candidates
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, load_merged, truncate_at_ratings
from tasks.readout.rating_trie import RatingTrie
from tasks.readout.resumable_batches import iter_batches
from tasks.store.artifacts import Adapter, Base, Prompts, RatingPredictions, SplitRatings, Tokenizer
from tasks.store.artifacts import ValidatedRatings as Ratings
from tasks.store.store import Store

PADDED = 16  # prompts at once on the plain path


@dataclass(frozen=True)
class Night:
    """What the lists of the champion below a root were made with, loaded."""

    predictions: RatingPredictions
    split: SplitRatings
    prompts: Prompts
    films: pl.DataFrame
    reader: Reader
    writer: ListWriter
    tokenizer: Any
    candidates: list[Example]  # each asks for 100 films
    lists: pa.Table  # the prompts of as many lists

    @classmethod
    def of(cls, store: Store, users: int, own: Store) -> "Night":
        """For the first users of the test fold; candidates are kept in the store `own`."""
        rated = store.ancestor(RatingPredictions, latest_champion_ranking(store))
        (found,) = store.parents(RatingPredictions, rated)  # the run's own, which calibrated them
        split, prompts = store.ancestor(SplitRatings, found), store.ancestor(Prompts, found)
        base, adapter = store.ancestor(Base, found), store.ancestor(Adapter, found)
        best = retrieve_candidates.fn(split, config=Retrieve(candidates=100), store=own)
        asked = write_candidate_prompts.fn(
            split,
            store.ancestor(Ratings, found),
            store.ancestor(Tokenizer, found),
            best,
            config=Prompt.model_validate(prompts.manifest["recipe"]),
            store=own,
        )
        tokenizer, notes = load_tokenizer(base), prompts.metadata
        inference = Inference(pack_length=2048, micro_batch_rows=8)
        trie = RatingTrie.from_tokenizer(tokenizer, notes["scale"], notes["rating_prefix"])
        reader = Reader(load_merged(base, adapter), trie, inference)
        return cls(
            found,
            split,
            prompts,
            prompts.scan("films").collect(),
            reader,
            ListWriter.from_prompts(reader, tokenizer, prompts, split, Decode()),
            tokenizer,
            [
                truncate_at_ratings(e)
                for e in Examples.from_table(_first(asked, "rate", users)).take(range(users))
            ],
            _first(prompts, "recommend", users),
        )


def _first(prompts: Prompts, kind: str, users: int) -> pa.Table:
    """The examples of the first users of the test fold."""
    return next(iter_batches(prompts, users, [(kind, "test")])).examples


def rate_fast(night: Night, users: int) -> NDArray[np.float64]:
    """Expected ratings of all candidates, one shared pass a user."""
    read = night.reader.read(night.candidates[:users])
    return np.exp(read) @ np.asarray(night.reader.trie.scale)


@torch.inference_mode()
def rate_plainly(night: Night, users: int) -> NDArray[np.float64]:
    """The same by the stock forward pass: each prompt alone, padded, in batches."""
    model, trie = night.reader.model, night.reader.trie
    if trie.probe_suffixes != ((),):
        raise ValueError("the plain path is measured where one token spells a rating")
    order = torch.tensor([path[0] for path in trie.paths])
    prompts = [
        np.r_[example.prefix, branch]
        for example in night.candidates[:users]
        for branch in example.branches
    ]
    found = []
    for first in range(0, len(prompts), PADDED):
        some = prompts[first : first + PADDED]
        width = max(map(len, some))
        tokens, mask = np.zeros((2, len(some), width), np.int64)
        for row, prompt in enumerate(some):
            tokens[row, width - len(prompt) :] = prompt
            mask[row, width - len(prompt) :] = 1
        logits = model(
            input_ids=torch.from_numpy(tokens),
            attention_mask=torch.from_numpy(mask),
            logits_to_keep=1,
        ).logits[:, -1, order]
        found.append(torch.softmax(logits.double(), -1).numpy())
    return np.concatenate(found) @ np.asarray(trie.scale)


@torch.inference_mode()
def one_list_a_generate(night: Night, users: int) -> list[str]:
    """The original's way: one user at a time, greedy, 200 tokens, repetition penalty 1.2."""
    texts = []
    for example in Examples.from_table(night.lists).take(range(users)):
        prompt = torch.from_numpy(np.asarray(example.prefix, np.int64))[None]
        written = cast(Any, night.reader.model).generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=200,
            do_sample=False,
            repetition_penalty=1.2,
            pad_token_id=night.tokenizer.pad_token_id or 0,
        )
        texts.append(night.tokenizer.decode(written[0, prompt.shape[1] :], True))
    return texts


def shares_of_texts(night: Night, texts: Sequence[str]) -> dict[str, float]:
    """Of the original's lists: complete ones, and lines that are right in each respect."""
    catalogue = TitleIndex.from_lines(night.films, night.prompts.metadata["rating_prefix"])
    users = night.lists["user_id"].to_numpy()[: len(texts)]
    news = eligible_films(users, "test", night.split.scan("ratings"), night.films)
    film_ids = night.films["film_id"].to_numpy()
    lists = [
        parse_list(text, catalogue, set(film_ids[may].tolist()), 10)
        for text, may in zip(texts, news, strict=True)
    ]
    errors = [line.error or "" for lines in lists for line in lines]
    wrong = {
        "existing": ("unknown title", "near title", "no title", "no rating", "cut off", "no text"),
        "unseen": ("seen or too new",),
        "unique": ("repeated",),
    }
    shares = {name: 1 - np.isin(errors, which).mean() for name, which in wrong.items()}
    whole = [len(lines) == 10 and all(line.error is None for line in lines) for lines in lists]
    return {**shares, "complete": float(np.mean(whole))}


def valid_share(night: Night, lists: pl.DataFrame) -> float:
    """Of our lists, those that are complete, existing, unseen, unique and known in time."""
    users = lists["user_id"].unique().sort().to_numpy()
    news = eligible_films(users, "test", night.split.scan("ratings"), night.films)
    valid = []
    for user, may in zip(users, news, strict=True):
        named = lists.filter(user_id=int(user))
        allowed = set(night.films["film_id"].to_numpy()[may].tolist())
        whole = len(named) == 10 and named["film_id"].n_unique() == 10
        valid.append(whole and set(named["film_id"]) <= allowed)
    return float(np.mean(valid))


def rmse_of_expectation_and_text(predictions: RatingPredictions) -> tuple[float, float]:
    """On the test fold: of the mean, and of the rating that greedy text would spell."""
    test = predictions.scan("ratings").filter(pl.col("fold") == "test")
    error = (pl.col("mean") - pl.col("rating")).pow(2).mean().sqrt()
    by_name = test.group_by("predictor").agg(error).sort("predictor").collect()
    mean, greedy = by_name["mean"]
    return mean, greedy
