"""Writes the lists of many users together, one token at each open place of each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import nn

from tasks.decode.list_grammar import Draft, Grammar
from tasks.decode.model_rows import Rows

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]
# Tokens shown at once: a long title takes several steps, lest all others are padded to its length.
CHUNK = 8


@dataclass(frozen=True)
class Request:
    """A list to be written: behind which tokens, of which films (by row of the trie)."""

    prefix: Ints
    alive: NDArray[np.bool_]
    noise: np.random.Generator | None = None  # the user's own, where tokens are sampled


class Step(NamedTuple):
    """A draft, the row that the model was shown it in, and what it is preferred by."""

    row: int
    draft: Draft
    score: float


@dataclass(frozen=True)
class Decoder:
    """`beams` drafts of a list compete until the best of them has named its film; 1 is greedy."""

    model: nn.Module
    grammar: Grammar
    length: int  # of a list; shorter where the user may be told of fewer films
    beams: int = 1
    temperature: float = 1.0

    def write(self, requests: Sequence[Request]) -> list[Draft]:
        """The finished list of each request."""
        lists = [[Step(row, self._begin(request), 0.0)] for row, request in enumerate(requests)]
        forced = [np.array(steps[0].draft.unfed(), np.int64) for steps in lists]
        prefixes = [np.r_[r.prefix, some] for r, some in zip(requests, forced, strict=True)]
        rows = Rows(self.model, self.grammar.vocabulary, prefixes)
        while not all(steps[0].draft.done for steps in lists):
            lists = [
                self._go_on(steps, rows, request.noise)
                for request, steps in zip(requests, lists, strict=True)
            ]
            rows.take([step.row for steps in lists for step in steps])
            rows.show([step.draft.unfed(CHUNK) for steps in lists for step in steps])
            lists = _renumbered(lists)
        return [steps[0].draft for steps in lists]

    def _begin(self, request: Request) -> Draft:
        return Draft.begin(self.grammar, request.alive, min(self.length, int(request.alive.sum())))

    def _go_on(
        self, steps: Sequence[Step], rows: Rows, noise: np.random.Generator | None
    ) -> list[Step]:
        """A user's drafts with one token more, the best first."""
        best = steps[0].draft
        if best.done or any(step.draft.behind for step in steps):
            return list(steps)
        if not best.names_film:  # it has won its line, and the others are given up
            return self._options(steps[0], rows, noise)[:1]
        waiting = [step for step in steps if not step.draft.names_film]
        open_ones = [step for step in steps if step.draft.names_film]
        options = waiting + [o for step in open_ones for o in self._options(step, rows, noise)]
        return sorted(options, key=lambda step: -step.score)[: self.beams]

    def _options(self, step: Step, rows: Rows, noise: np.random.Generator | None) -> list[Step]:
        """The best ways to go on from a draft. Only the naming of films counts for its score."""
        draft = step.draft
        tokens, low, high = draft.choices()
        log_p = log_softmax(rows.logits_of(step.row, tokens).astype(np.float64))
        reached = draft.log_p + (log_p if draft.names_film else np.zeros(len(log_p)))
        score = draft.log_p + log_p
        if noise is not None:  # the largest of these is a sample: the Gumbel-max trick
            score = log_p / self.temperature + noise.gumbel(size=len(log_p))
        if not draft.names_film and len(tokens) == len(self.grammar.endings):
            draft.entries[-1].log_p = log_p[np.argsort(self.grammar.ratings.order[low])]
        return [
            Step(
                step.row,
                draft.chosen(int(tokens[i]), int(low[i]), int(high[i]), float(reached[i])),
                float(score[i]),
            )
            for i in np.argsort(-score, kind="stable")[: self.beams]
        ]


def _renumbered(lists: Sequence[Sequence[Step]]) -> list[list[Step]]:
    """The same drafts with the rows that they lie in now."""
    rows = iter(range(sum(map(len, lists))))
    return [[step._replace(row=next(rows)) for step in steps] for steps in lists]
