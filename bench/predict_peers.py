"""The champion's model on the fast path, on the plain path, and in the original's way."""

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
from tasks.nn.examples import Example, Examples
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidate_prompts
from tasks.rank.config import Retrieve
from tasks.rank.task import retrieve_candidates
from tasks.readout.batches import iter_batches
from tasks.readout.config import Inference
from tasks.readout.inference import Reader, truncate_at_ratings
from tasks.readout.load import load_reader
from tasks.store.artifacts import Adapter, Base, Prompts, RatingPredictions, SplitRatings, Tokenizer
from tasks.store.artifacts import ValidatedRatings as Ratings
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer

PADDED = 16  # prompts at once on the plain path


@dataclass(frozen=True)
class ChampionRun:
    """What the champion's latest ranking was made with, loaded."""

    predictions: RatingPredictions
    split: SplitRatings
    prompts: Prompts
    films: pl.DataFrame
    reader: Reader
    writer: ListWriter
    tokenizer: Any
    candidates: list[Example]  # 100 films each
    lists: pa.Table  # the prompts of as many lists

    @classmethod
    def load(cls, store: Store, users: int, scratch: Store) -> "ChampionRun":
        """For the first users of the test fold; their candidates are built in `scratch`."""
        rated = store.ancestor(RatingPredictions, latest_champion_ranking(store))
        predictions = store.ancestor(RatingPredictions, rated)  # of the targets
        split = store.ancestor(SplitRatings, predictions)
        prompts = store.ancestor(Prompts, predictions)
        base, adapter = store.ancestor(Base, predictions), store.ancestor(Adapter, predictions)
        best = retrieve_candidates.fn(split, config=Retrieve(candidates=100), store=scratch)
        candidate_prompts = write_candidate_prompts.fn(
            split,
            store.ancestor(Ratings, predictions),
            store.ancestor(Tokenizer, predictions),
            best,
            config=Prompt.model_validate(prompts.manifest["recipe"]),
            store=scratch,
        )
        tokenizer = load_tokenizer(base)
        inference = Inference(pack_length=2048, micro_batch_rows=8)
        reader = load_reader(adapter, base, prompts, inference)
        examples = Examples.from_table(_first(candidate_prompts, "rate", users))
        return cls(
            predictions,
            split,
            prompts,
            prompts.scan("films").collect(),
            reader,
            ListWriter.from_prompts(reader, tokenizer, prompts, split, Decode()),
            tokenizer,
            [truncate_at_ratings(example) for example in examples.take(range(users))],
            _first(prompts, "recommend", users),
        )


def _first(prompts: Prompts, kind: str, users: int) -> pa.Table:
    """The examples of the first users of the test fold."""
    return next(iter_batches({"target": prompts}, users, [(kind, "test")])).examples


def rate_fast(run: ChampionRun, users: int) -> NDArray[np.float64]:
    """Expected ratings of all candidates, one shared pass a user."""
    read = run.reader.read(run.candidates[:users])
    return np.exp(read) @ np.asarray(run.reader.trie.scale)


@torch.inference_mode()
def rate_each_prompt_alone(run: ChampionRun, users: int) -> NDArray[np.float64]:
    """The same with the stock forward pass: no shared prefix, padded batches."""
    model, trie = run.reader.model, run.reader.trie
    if trie.probe_suffixes != ((),):
        raise ValueError("the plain path is measured where one token spells a rating")
    order = torch.tensor([path[0] for path in trie.paths])
    prompts = [
        np.r_[example.prefix, branch]
        for example in run.candidates[:users]
        for branch in example.branches
    ]
    chunks = []
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
        chunks.append(torch.softmax(logits.double(), -1).numpy())
    return np.concatenate(chunks) @ np.asarray(trie.scale)


@torch.inference_mode()
def generate_lists(run: ChampionRun, users: int) -> list[str]:
    """The original's way: one user at a time, greedy, 200 tokens, repetition penalty 1.2."""
    texts = []
    for example in Examples.from_table(run.lists).take(range(users)):
        prompt = torch.from_numpy(np.asarray(example.prefix, np.int64))[None]
        written = cast(Any, run.reader.model).generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=200,
            do_sample=False,
            repetition_penalty=1.2,
            pad_token_id=run.tokenizer.pad_token_id or 0,
        )
        texts.append(run.tokenizer.decode(written[0, prompt.shape[1] :], True))
    return texts


def score_texts(run: ChampionRun, texts: Sequence[str]) -> dict[str, float]:
    """Shares of the original's lists that are complete, and of lines without each kind of error."""
    index = TitleIndex.from_lines(run.films, run.prompts.metadata["rating_prefix"])
    users = run.lists["user_id"].to_numpy()[: len(texts)]
    eligible = eligible_films(users, "test", run.split.scan("ratings"), run.films)
    film_ids = run.films["film_id"].to_numpy()
    lists = [
        parse_list(text, index, set(film_ids[mask].tolist()), 10)
        for text, mask in zip(texts, eligible, strict=True)
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


def score_lists(run: ChampionRun, lists: pl.DataFrame) -> float:
    """Share of our lists with ten different films, each eligible."""
    users = lists["user_id"].unique().sort().to_numpy()
    eligible = eligible_films(users, "test", run.split.scan("ratings"), run.films)
    valid = []
    for user, mask in zip(users, eligible, strict=True):
        named = lists.filter(user_id=int(user))
        allowed = set(run.films["film_id"].to_numpy()[mask].tolist())
        whole = len(named) == 10 and named["film_id"].n_unique() == 10
        valid.append(whole and set(named["film_id"]) <= allowed)
    return float(np.mean(valid))


def rmse_of_mean_and_greedy(predictions: RatingPredictions) -> tuple[float, float]:
    """On the test fold: of the mean, and of greedy decoding."""
    test = predictions.scan("ratings").filter(pl.col("fold") == "test")
    error = (pl.col("mean") - pl.col("rating")).pow(2).mean().sqrt()
    by_name = test.group_by("predictor").agg(error).sort("predictor").collect()
    mean, greedy = by_name["mean"]
    return mean, greedy
