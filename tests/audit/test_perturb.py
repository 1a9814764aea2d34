"""Each perturbation changes what it names and nothing else."""

import pytest

from tasks.audit.perturb import Wording, perturb, split_lines
from tasks.templates import Compact, Original

HEAT = "Heat, The (1995), Action|Crime, prior 3.7, Rating: 4.0\n"
ALIEN = "Alien (1979), (no genres listed), prior 4.1, Rating: 5.0\n"
EMMA = "Emma (1996), Drama, prior 3.0, Rating: 1.0\n"
CONTEXTS = [split_lines(HEAT + ALIEN, Compact()), split_lines(EMMA, Compact())]


def spell(texts):
    return [[ord(letter) for letter in text] for text in texts]


def test_a_line_is_cut_into_its_tokenized_pieces():
    assert CONTEXTS[0][0] == ("Heat, The (1995), Action|Crime", ", prior 3.7", ", Rating: 4.0\n")
    original = Original()
    line = "Heat, The (1995), Action|Crime, Rating 4.0\n"
    cut = split_lines(original.opening + line, original)
    assert cut == [("Heat, The (1995), Action|Crime", ", Rating 4.0\n")]


@pytest.mark.parametrize("template", [Compact(), Original()])
def test_joining_the_lines_restores_the_context(template):
    wording = Wording(template, spell)
    text = wording.join(CONTEXTS[0])
    assert text == template.opening + HEAT + ALIEN
    assert wording.tokenize(CONTEXTS[0], "?") == [ord(letter) for letter in text + "?"]


def test_each_perturbation_does_what_it_names():
    def apply(perturbation):
        return perturb(CONTEXTS, perturbation, seed=0)

    assert apply("empty") == [[], []]
    assert apply("reversed") == [CONTEXTS[0][::-1], CONTEXTS[1]]
    assert apply("shuffled") == CONTEXTS[::-1]
    films = [line[0] for lines in apply("retitled") for line in lines]
    assert sorted(films) == sorted(line[0] for lines in CONTEXTS for line in lines)
    rest = [[line[1:] for line in lines] for lines in apply("retitled")]
    assert rest == [[line[1:] for line in lines] for lines in CONTEXTS]


def test_no_user_keeps_the_own_context_when_shuffled():
    contexts = [[(str(user), "")] for user in range(50)]
    after = perturb(contexts, "shuffled", seed=1)
    assert all(new != old for new, old in zip(after, contexts, strict=True))
    assert sorted(after) == sorted(contexts)
