# ruff: noqa: F811
"""A model that has memorized the films' rows is found, and one that has not is not."""

import pytest
import torch
from scipy.stats import binomtest
from transformers import AutoTokenizer, BloomConfig, BloomForCausalLM

from tasks.audit.config import Memorization
from tasks.audit.memorization import load_completer, sample_film_rows, sample_rating_rows, wilson
from tasks.audit.task import measure_memorization
from tasks.hub import load_base
from tasks.store.artifacts import Base
from tasks.text_tokenizer import load_tokenizer
from tests.pipeline_world import base, ratings, split, store, tokenizer  # noqa: F401

CONFIG = Memorization(rows=20, shown=2)
MEMORIZED, MOST_STEPS = 0.003, 1000  # the loss at which every token is certain


def sample_rows(ratings):
    return [*sample_film_rows(ratings, CONFIG), *sample_rating_rows(ratings, CONFIG)]


def padded(texts):
    rows = [torch.tensor(text) for text in texts]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-100)


@pytest.fixture(scope="module")
def trained(store, ratings, tokenizer) -> Base:
    """A small BLOOM trained on the rows of films that it must complete."""

    def write(draft):
        words = AutoTokenizer.from_pretrained(tokenizer.path)
        words.save_pretrained(draft)
        torch.manual_seed(0)
        # With few heads ALiBi is too flat to distinguish the first 2 of "22" from the second.
        shape = BloomConfig(vocab_size=len(words), hidden_size=64, n_layer=2, n_head=8)
        model = BloomForCausalLM(shape)
        optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
        films = [row for row in sample_rows(ratings) if row.kind == "film"]
        before = [words(row.prompt)["input_ids"] for row in films]
        rest = [words(row.completion)["input_ids"] for row in films]
        tokens = padded([b + r for b, r in zip(before, rest, strict=True)])
        labels = padded([[-100] * len(b) + r for b, r in zip(before, rest, strict=True)])
        for _ in range(MOST_STEPS):
            optimiser.zero_grad()
            loss = model(input_ids=tokens.clamp(min=0), labels=labels).loss
            loss.backward()
            optimiser.step()
            if loss < MEMORIZED:
                break
        model.save_pretrained(draft)
        return {"four_bit": False}

    return store.build(Base, recipe={"trained": 1}, parents=[tokenizer], write=write)


def test_rows_are_spelt_as_in_the_files(ratings):
    film, *_, rating = sample_rows(ratings)
    assert film.prompt.count("\n") == rating.prompt.count("\n") == 2
    number = int(film.prompt.splitlines()[-1].rstrip(","))
    shown = number if number != 9 else 8
    assert film.completion == f'"Film, the {shown} ({1960 + shown})"'
    user, film_id, nothing = rating.prompt.splitlines()[-1].split(",")
    assert nothing == ""
    stars, seconds = rating.completion.split(",")
    table = ratings.scan("ratings").collect().to_dicts()
    assert {
        "user_id": int(user),
        "film_id": int(film_id),
        "rating": float(stars),
        "rated_at": int(seconds),
    } in [row | {"rated_at": int(row["rated_at"].timestamp())} for row in table]


def test_only_trained_rows_are_memorized(store, ratings, trained, base):
    made = [
        measure_memorization.fn(b, ratings, config=CONFIG, store=store) for b in (trained, base)
    ]
    film, rating = made[0].scan("memorization").collect().to_dicts()
    assert film["kind"] == "film"
    assert (film["n"], film["memorized"], film["share"], film["ci95_high"]) == (20, 20, 1.0, 1.0)
    assert (rating["n"], rating["memorized"]) == (20, 0)
    assert made[1].scan("memorization").collect()["memorized"].to_list() == [0, 0]


def test_a_row_is_memorized_if_greedy_generation_completes_it(ratings, trained):
    model, words = load_base(trained), load_tokenizer(trained)
    completes = load_completer(trained)
    for row in sample_rows(ratings)[15:25]:
        before, rest = words(row.prompt, return_tensors="pt"), words(row.completion)["input_ids"]
        written = model.generate(**before, max_new_tokens=len(rest), do_sample=False)
        assert completes(row) == (written[0, -len(rest) :].tolist() == rest)


def test_the_interval_of_a_share_is_wilsons():
    share, low, high = wilson(3, 20)
    z, n = 1.959963984540054, 20
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    assert (low, high) == pytest.approx((middle - half, middle + half))
    assert binomtest(0, 20).proportion_ci(method="wilson").high == wilson(0, 20)[2] > 0
