"""Lists: decoded together as each by itself on the plain path, and never outside the grammar."""

import numpy as np
import pytest
import torch
from transformers import BloomConfig, BloomForCausalLM, LlamaConfig, LlamaForCausalLM

from tasks.decode.decoder import Decoder, Request
from tasks.decode.list_grammar import Draft, Grammar
from tasks.readout.token_trie import TokenTrie

VOCABULARY = 64
# Films 1 and 4 have the same line; many lines share their beginning; all end in 60.
FILMS = [(5, 6, 60), (5, 7, 8, 60), (9, 60), (5, 7, 10, 11, 60), (5, 7, 8, 60), (12, 13, 60)]
FILMS += [(14 + i // 4, 30 + i, 60) for i in range(24)]
RATINGS = [(50, 51, 52), (50, 51, 53), (54, 51, 52)]  # in three tokens, as BLOOM spells half stars
GRAMMAR = Grammar(TokenTrie(FILMS), TokenTrie(RATINGS), ((61,), (61,), (61, 62)))


@pytest.fixture(params=["bloom", "llama"])
def model(request):
    torch.manual_seed(0)
    if request.param == "bloom":
        config = BloomConfig(vocab_size=VOCABULARY, hidden_size=48, n_layer=3, n_head=6)
        made = BloomForCausalLM(config)
    else:
        made = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=48,
                intermediate_size=96,
                num_hidden_layers=2,
                num_attention_heads=6,
                num_key_value_heads=3,
            )
        )
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made.eval()


def requests(n=21, noise=False):
    draw = np.random.default_rng(1)
    return [
        Request(
            draw.integers(0, 50, draw.integers(3, 90)),
            draw.random(len(FILMS)) < 0.8,
            np.random.default_rng([7, i]) if noise else None,
        )
        for i in range(n)
    ]


@torch.no_grad()
def plain_list(model, request, length, beams=1):
    """The same search with nothing shared: each draft's whole text alone, by the stock library."""
    drafts = [Draft.begin(GRAMMAR, request.alive, length)]
    while not drafts[0].done:
        competing = drafts if drafts[0].names_film else drafts[:1]
        options = []
        for draft in competing:
            if not draft.names_film and competing is drafts:
                options.append((draft.log_p, draft))
                continue
            ids = torch.tensor([[*request.prefix, *draft.tokens]])
            tokens, low, high = draft.choices()
            log_p = torch.log_softmax(model(ids).logits[0, -1][tokens].double(), 0).tolist()
            for i, value in enumerate(log_p):
                reached = draft.log_p + (value if draft.names_film else 0)
                then = draft.chosen(int(tokens[i]), int(low[i]), int(high[i]), reached)
                options.append((draft.log_p + value, then))
        options.sort(key=lambda option: -option[0])
        drafts = [draft for _, draft in options[: beams if competing is drafts else 1]]
    return drafts[0]


@pytest.mark.parametrize("beams", [1, 3])
def test_lists_equal_the_plain_path(model, beams):
    for request, found in zip(
        requests(), Decoder(model, GRAMMAR, 4, beams).write(requests()), strict=True
    ):
        expected = plain_list(model, request, 4, beams)
        assert found.tokens == expected.tokens
        assert found.log_p == pytest.approx(expected.log_p, abs=1e-4)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("beams", [1, 3])
def test_the_users_beside_change_no_bit(model, beams, noise):
    decoder = Decoder(model, GRAMMAR, 4, 1 if noise else beams)
    together = decoder.write(requests(noise=noise))
    alone = [decoder.write([request])[0] for request in requests(noise=noise)]
    assert [d.tokens for d in together] == [d.tokens for d in alone]
    assert [d.log_p for d in together] == [d.log_p for d in alone]


def test_a_list_names_only_what_may_be_named_and_nothing_twice(model):
    for request, draft in zip(
        requests(), Decoder(model, GRAMMAR, 6).write(requests()), strict=True
    ):
        films = [entry.film for entry in draft.entries]
        may = set(GRAMMAR.films.order[np.flatnonzero(request.alive)].tolist())
        assert len(films) == len(set(films)) == 6
        assert set(films) <= may
        spelt = []
        for entry in draft.entries:
            spelt += [*FILMS[entry.film], *RATINGS[entry.value], *GRAMMAR.endings[entry.value]]
            assert tuple(draft.tokens[entry.start : entry.end]) == RATINGS[entry.value]
        assert draft.tokens == spelt


def test_a_list_ends_where_there_are_no_more_films(model):
    alive = np.zeros((2, len(FILMS)), bool)
    alive[0, :3] = True
    prefix = np.arange(5)
    some, none = Decoder(model, GRAMMAR, 4).write([Request(prefix, row) for row in alive])
    assert {e.film for e in some.entries} == set(GRAMMAR.films.order[:3].tolist())
    assert none.entries == []


def test_sampling_follows_its_seed(model):
    first = Decoder(model, GRAMMAR, 4).write(requests(noise=True))
    again = Decoder(model, GRAMMAR, 4).write(requests(noise=True))
    greedy = Decoder(model, GRAMMAR, 4).write(requests())
    assert [d.tokens for d in first] == [d.tokens for d in again]
    assert [d.tokens for d in first] != [d.tokens for d in greedy]


def test_a_line_that_begins_another_is_refused():
    with pytest.raises(ValueError, match="is the beginning of text"):
        TokenTrie([(1, 2), (1, 2, 3)])
