import pytest
import torch

from tasks.nn.forward import output_layer
from tasks.readout.rating_trie import RatingTrie
from tests.small_models import stock_hidden_states


def test_the_trie_agrees_with_the_product_of_token_probabilities(bloom):
    # As BLOOM spells half stars: " 4", ".", "5".
    scale = (0.5, 1.0, 1.5, 2.0)
    trie = RatingTrie(scale, ((10, 20, 35), (11, 20, 30), (11, 20, 35), (12, 20, 30)))
    assert trie.probe_suffixes == ((), (11, 20))
    context = [40, 41, 42]
    with torch.no_grad():
        hidden = torch.stack(
            [stock_hidden_states(bloom, context + list(p))[-1] for p in trie.probe_suffixes]
        )
        found = trie.log_probabilities(hidden[None], output_layer(bloom))[0]
        logits = output_layer(bloom)(hidden)
    whole = torch.log_softmax(logits[0][[10, 11, 12]], 0)
    half = torch.log_softmax(logits[1][[30, 35]], 0)
    expected = torch.stack([whole[0], whole[1] + half[0], whole[1] + half[1], whole[2]])
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.exp().sum().item() == pytest.approx(1)


def test_a_spelling_that_begins_another_is_refused():
    with pytest.raises(ValueError, match="cannot be read off"):
        RatingTrie((1.0, 2.0), ((5,), (5, 6)))
