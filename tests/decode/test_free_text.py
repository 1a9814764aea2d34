"""Free text is generated as the stock library does, and parsed from the right."""

import json

import numpy as np
import polars as pl
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM

from tasks.decode.config import FreeText
from tasks.decode.free_text import generate
from tasks.decode.parsing import TitleIndex, parse_list
from tasks.decode.task import generate_lists

FILMS = pl.DataFrame(
    {
        "film_id": [1, 2, 3, 4],
        "line": [
            "Heat (1995), Action|Crime, Rating: ",
            "Postino, Il (Postman, The) (1994), Drama, Rating: ",
            "Heat (1995), Drama, Rating: ",
            "Ran (1985), (no genres listed), Rating: ",
        ],
    }
)


@pytest.mark.parametrize(
    ("line", "film", "error"),
    [
        ("Heat (1995), Action|Crime, Rating: 4.0", 1, None),
        ("Postino, Il (Postman, The) (1994), Drama, Rating: 5.0", 2, None),
        ("Heat (1995), Action|Crime, Rating 4", 1, None),  # without a colon, as contexts have it
        ("Heatt (1995), Action, Rating: 4.0", None, "near title"),
        ("Ghostbusters (1984), Comedy, Rating: 4.0", None, "unknown title"),
        ("Ran (1985), (no genres listed), Rating: 3.0", 4, "seen or too new"),
        (", Drama, Rating: 3.0", None, "no title"),
        ("Heat (1995), Action|Crime, Rating: ", None, "no rating"),
        ("Heat (1995)", None, "no rating"),
    ],
)
def test_each_error_has_its_name(line, film, error):
    index = TitleIndex.from_lines(FILMS, ", Rating: ")
    (entry,) = parse_list(f"{line}\n", index, {1, 2, 3}, 10)
    assert (entry.film_id, entry.error) == (film, error)


def test_a_list_repeats_a_film_only_when_its_title_is_used_up():
    index = TitleIndex.from_lines(FILMS, ", Rating: ")
    line = "Heat (1995), Drama, Rating: 4.0\n"
    found = parse_list(line * 3 + "\nPostino, Il", index, {1, 2, 3}, 10)
    # Films 1 and 3 share their title, so the third line is the first to repeat.
    assert [(e.film_id, e.error) for e in found] == [
        (1, None),
        (3, None),
        (1, "repeated"),
        (None, "cut off"),
    ]
    assert len(parse_list(line * 3, index, {1, 2, 3}, 2)) == 2


def test_generation_equals_the_stock_library():
    torch.manual_seed(0)
    model = BloomForCausalLM(BloomConfig(vocab_size=64, hidden_size=48, n_layer=2, n_head=6))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    model.eval()
    draw = np.random.default_rng(0)
    prefixes = [draw.integers(5, 64, n) for n in (7, 30, 18)]
    found = generate(model, prefixes, 40, 1.2, end=3)
    for prefix, tokens in zip(prefixes, found, strict=True):
        expected = model.generate(
            torch.tensor(prefix[None]),
            max_new_tokens=40,
            do_sample=False,
            repetition_penalty=1.2,
            eos_token_id=3,
            pad_token_id=2,
        )[0, len(prefix) :]
        assert tokens == expected.tolist()


def test_errors_are_counted_by_name(adapter, base, prompts, split, store):
    config = FreeText(new_tokens=30, users=15, list_length=3)
    made = generate_lists.fn(adapter, base, prompts, split, config=config, store=store)
    lists = made.scan("lists").collect()
    counts = json.loads((made.path / "errors.json").read_text())
    names = lists["error"].fill_null("none").value_counts()
    assert counts == dict(names.iter_rows())
    assert lists["user_id"].n_unique() == 15
    assert lists.filter(pl.col("error").is_null())["film_id"].null_count() == 0
