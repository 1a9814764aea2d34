"""Decodes the lists of many users in one batch, one token at each choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from torch import nn

from tasks.decode.cached_rows import CachedRows, Probe
from tasks.decode.list_grammar import Entry, Grammar, Hypothesis
from tasks.nn.forward import output_layer
from tasks.readout.rating_trie import RatingTrie

Ints = NDArray[np.integer]
Floats = NDArray[np.float64]
# Tokens read at once: a longer title takes several steps, so that no row is padded to its length.
CHUNK = 8


@dataclass(frozen=True)
class ListRequest:
    """The tokens to continue, and the films (by row of the trie) that the list may name."""

    prefix: Ints
    allowed: NDArray[np.bool_]
    noise: np.random.Generator | None = None  # the user's own, for sampling


class Beam(NamedTuple):
    """A hypothesis, the row of the model that has read it, and the score it is sorted by."""

    row: int
    hypothesis: Hypothesis
    score: float


@dataclass(frozen=True)
class Decoder:
    """Beam search with `beams` hypotheses until the best has named its film; 1 is greedy."""

    model: nn.Module
    grammar: Grammar
    trie: RatingTrie
    length: int  # of a list; shorter if fewer films are allowed
    beams: int = 1
    temperature: float = 1.0

    def decode(self, requests: Sequence[ListRequest]) -> list[Hypothesis]:
        """The finished list of each request."""
        lists = [[Beam(row, self._start(request), 0.0)] for row, request in enumerate(requests)]
        forced = [np.array(beams[0].hypothesis.take_pending(), np.int64) for beams in lists]
        prefixes = [np.r_[r.prefix, tokens] for r, tokens in zip(requests, forced, strict=True)]
        rows = CachedRows(self.model, self.grammar.vocabulary, prefixes)
        while not all(beams[0].hypothesis.is_done for beams in lists):
            lists = [
                self._step(beams, rows, request.noise)
                for request, beams in zip(requests, lists, strict=True)
            ]
            flat = [beam for beams in lists for beam in beams]
            rows.select([beam.row for beam in flat])
            rows.feed([beam.hypothesis.take_pending(CHUNK) for beam in flat])
            lists = _renumber(lists)
        rows.select([beams[0].row for beams in lists])
        finished = [beams[0].hypothesis for beams in lists]
        self._read_ratings(requests, finished, rows)
        return finished

    @torch.inference_mode()
    def _read_ratings(
        self, requests: Sequence[ListRequest], lists: Sequence[Hypothesis], rows: CachedRows
    ) -> None:
        """Where several tokens spell a rating, decoding has met one path to it: read the others."""
        unread = [[entry for entry in one.entries if entry.log_p is None] for one in lists]
        entries = [entry for some in unread for entry in some]
        if not entries:
            return
        probes = [
            [
                probe
                for entry in some
                for probe in self._probes(len(request.prefix) + entry.start, one.tokens, entry)
            ]
            for request, one, some in zip(requests, lists, unread, strict=True)
        ]
        hidden = rows.read(probes).unflatten(0, (len(entries), -1))
        log_p = self.trie.log_probabilities(hidden, output_layer(self.model))
        for entry, row in zip(entries, log_p.double().cpu().numpy(), strict=True):
            entry.log_p = row

    def _probes(self, start: int, tokens: Sequence[int], entry: Entry) -> list[Probe]:
        """Before each choice of a rating that starts there in its row."""
        before = Probe(start - 1, tokens[entry.start - 1 : entry.start])
        return [Probe(start, suffix) if suffix else before for suffix in self.trie.probe_suffixes]

    def _start(self, request: ListRequest) -> Hypothesis:
        length = min(self.length, int(request.allowed.sum()))
        return Hypothesis.start(self.grammar, request.allowed, length)

    def _step(
        self, beams: Sequence[Beam], rows: CachedRows, noise: np.random.Generator | None
    ) -> list[Beam]:
        """A user's beams with one more token, the best first."""
        best = beams[0].hypothesis
        if best.is_done or any(beam.hypothesis.has_pending for beam in beams):
            return list(beams)
        if not best.in_film:  # its film is decided: drop the other beams
            return self._expand(beams[0], rows, noise)[:1]
        waiting = [beam for beam in beams if not beam.hypothesis.in_film]
        open_beams = [beam for beam in beams if beam.hypothesis.in_film]
        expanded = [new for beam in open_beams for new in self._expand(beam, rows, noise)]
        return sorted(waiting + expanded, key=lambda beam: -beam.score)[: self.beams]

    def _expand(
        self, beam: Beam, rows: CachedRows, noise: np.random.Generator | None
    ) -> list[Beam]:
        """The best continuations of a beam. Only tokens of films count in a list's log_p."""
        hypothesis = beam.hypothesis
        tokens, low, high = hypothesis.choices()
        log_p = log_softmax(rows.get_logits(beam.row, tokens).astype(np.float64))
        total = hypothesis.log_p + (log_p if hypothesis.in_film else np.zeros(len(log_p)))
        score = hypothesis.log_p + log_p
        if noise is not None:  # the largest of these is a sample: the Gumbel-max trick
            score = log_p / self.temperature + noise.gumbel(size=len(log_p))
        if not hypothesis.in_film and len(tokens) == len(self.grammar.endings):
            hypothesis.entries[-1].log_p = log_p[np.argsort(self.grammar.ratings.order[low])]
        return [
            Beam(
                beam.row,
                hypothesis.choose(int(tokens[i]), int(low[i]), int(high[i]), float(total[i])),
                float(score[i]),
            )
            for i in np.argsort(-score, kind="stable")[: self.beams]
        ]


def _renumber(lists: Sequence[Sequence[Beam]]) -> list[list[Beam]]:
    """The beams with their rows after `CachedRows.select`."""
    rows = iter(range(sum(map(len, lists))))
    return [[beam._replace(row=next(rows)) for beam in beams] for beams in lists]
