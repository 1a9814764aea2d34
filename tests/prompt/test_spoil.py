"""Spoilt contexts keep their words and tokens, and lose what they told."""

import numpy as np
import pytest

from tasks.audit.perturb import Wordings, lines_of, spoilt
from tasks.templates import Compact, Original

HEAT = "Heat, The (1995), Action|Crime, guess 3.7, Rating: 4.0\n"
ALIEN = "Alien (1979), (no genres listed), guess 4.1, Rating: 5.0\n"
EMMA = "Emma (1996), Drama, guess 3.0, Rating: 1.0\n"
CONTEXTS = [lines_of(HEAT + ALIEN, Compact()), lines_of(EMMA, Compact())]


def spell(texts):
    return [[ord(letter) for letter in text] for text in texts]


def test_a_line_is_cut_into_what_was_tokenised_by_itself():
    assert CONTEXTS[0][0] == ("Heat, The (1995), Action|Crime", ", guess 3.7", ", Rating: 4.0\n")
    original = Original()
    line = "Heat, The (1995), Action|Crime, Rating 4.0\n"
    cut = lines_of(original.opening + line, original)
    assert cut == [("Heat, The (1995), Action|Crime", ", Rating 4.0\n")]


@pytest.mark.parametrize("template", [Compact(), Original()])
def test_a_context_is_put_together_as_it_was(template):
    words = Wordings(template, spell)
    text = words.text(CONTEXTS[0])
    assert text == template.opening + HEAT + ALIEN
    assert words.tokens(CONTEXTS[0], "?") == [ord(letter) for letter in text + "?"]


def test_each_spoiling_does_what_it_says():
    def of(how):
        return spoilt(CONTEXTS, how, np.random.default_rng(0))

    assert of("empty") == [[], []]
    assert of("reversed") == [CONTEXTS[0][::-1], CONTEXTS[1]]
    assert of("shuffled") == CONTEXTS[::-1]
    films = [line[0] for lines in of("retitled") for line in lines]
    assert sorted(films) == sorted(line[0] for lines in CONTEXTS for line in lines)
    rest = [[line[1:] for line in lines] for lines in of("retitled")]
    assert rest == [[line[1:] for line in lines] for lines in CONTEXTS]


def test_nobody_keeps_the_own_context_when_they_are_shuffled():
    contexts = [[(str(user), "")] for user in range(50)]
    after = spoilt(contexts, "shuffled", np.random.default_rng(1))
    assert all(new != old for new, old in zip(after, contexts, strict=True))
    assert sorted(after) == sorted(contexts)
