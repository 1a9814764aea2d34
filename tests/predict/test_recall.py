"""A model that has learnt the films' rows by heart is found out, and one that has not is not."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

from tasks.audit.memorization import film_rows, rating_rows, reciter, wilson
from tasks.hub import load_base, load_tokenizer
from tasks.predict.config import Recall
from tasks.predict.task import probe_recall
from tasks.store.artifacts import Base

CONFIG = Recall(rows=20, shown=2)
BY_HEART, MOST_STEPS = 0.003, 1000  # the loss at which no token is in doubt


def rows_of(trusted):
    draw = np.random.default_rng(CONFIG.seed)
    return [*film_rows(trusted, CONFIG, draw), *rating_rows(trusted, CONFIG, draw)]


def padded(texts):
    rows = [torch.tensor(text) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)


@pytest.fixture(scope="module")
def learnt(house, trusted, tokenizer) -> Base:
    """A small BLOOM after some steps over the films' rows that are asked for."""

    def write(draft):
        words = AutoTokenizer.from_pretrained(tokenizer.path)
        words.save_pretrained(draft)
        torch.manual_seed(0)
        # With few heads ALiBi is too flat to tell the first 2 of "22" from the second.
        shape = BloomConfig(vocab_size=len(words), hidden_size=64, n_layer=2, n_head=8)
        model = BloomForCausalLM(shape)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        films = [row for row in rows_of(trusted) if row.kind == "film"]
        before = [words(row.before)["input_ids"] for row in films]
        rest = [words(row.rest)["input_ids"] for row in films]
        tokens = padded([b + r for b, r in zip(before, rest, strict=True)])
        labels = padded([[-100] * len(b) + r for b, r in zip(before, rest, strict=True)])
        for _ in range(MOST_STEPS):
            optimiser.zero_grad()
            loss = model(input_ids=tokens.clamp(min=0), labels=labels).loss
            loss.backward()
            optimiser.step()
            if loss < BY_HEART:
                break
        model.save_pretrained(draft)
        return {"four_bit": False}

    return house.build(Base, recipe={"learnt": 1}, parents=[tokenizer], write=write)


def test_rows_are_spelt_as_in_the_files(trusted):
    film, *_, rating = rows_of(trusted)
    assert film.before.count("\n") == rating.before.count("\n") == 2
    number = int(film.before.splitlines()[-1].rstrip(","))
    assert film.rest == f'"Film, the {number if number != 9 else 8} ({1960 + number})"'.replace(
        "(1969)", "(1968)"
    )
    user, film_id, nothing = rating.before.splitlines()[-1].split(",")
    assert nothing == ""
    stars, seconds = rating.rest.split(",")
    table = trusted.scan("ratings").collect().to_dicts()
    assert {
        "user_id": int(user),
        "film_id": int(film_id),
        "rating": float(stars),
        "rated_at": int(seconds),
    } in [row | {"rated_at": int(row["rated_at"].timestamp())} for row in table]


def test_what_was_learnt_by_heart_is_found(house, trusted, learnt, base):
    asked = [probe_recall.fn(b, trusted, config=CONFIG, store=house) for b in (learnt, base)]
    film, rating = asked[0].scan("recalled").collect().to_dicts()
    assert film["kind"] == "film"
    assert (film["n"], film["recalled"], film["share"], film["ci95_high"]) == (20, 20, 1.0, 1.0)
    assert (rating["n"], rating["recalled"]) == (20, 0)
    assert asked[1].scan("recalled").collect()["recalled"].to_list() == [0, 0]


def test_a_row_is_known_where_greedy_generation_ends_it(trusted, learnt):
    model, words = load_base(learnt), load_tokenizer(learnt)
    knows = reciter(learnt)
    for row in rows_of(trusted)[15:25]:
        before, rest = words(row.before, return_tensors="pt"), words(row.rest)["input_ids"]
        written = model.generate(**before, max_new_tokens=len(rest), do_sample=False)
        assert knows(row) == (written[0, -len(rest) :].tolist() == rest)


def test_the_interval_of_a_share_is_wilsons():
    share, low, high = wilson(3, 20)
    z, n = 1.959963984540054, 20
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    assert (low, high) == pytest.approx((middle - half, middle + half))
    assert binomtest(0, 20).proportion_ci(method="wilson").high == wilson(0, 20)[2] > 0
