"""The grammar of a list, and hypotheses that grow by one chosen token at a time.

A list is k lines, each a film's line up to its rating, the rating, and the end of the line. Tokens
without an alternative are appended at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.decode.token_trie import Node, TokenTrie
from tasks.readout.rating_trie import RatingTrie

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Grammar:
    """The films' lines and the ratings' spellings as tries; endings[value] ends a line."""

    films: TokenTrie
    ratings: TokenTrie
    endings: tuple[tuple[int, ...], ...]

    @classmethod
    def from_lines(
        cls,
        lines: Sequence[Sequence[int]],
        trie: RatingTrie,
        tokenizer: PreTrainedTokenizerBase,
        rating_prefix: str,
    ) -> "Grammar":
        """From the tokens of each film's line up to its rating."""
        endings = []
        for value, path in zip(trie.scale, trie.paths, strict=True):
            line = tokenizer(f"{rating_prefix}{value:.1f}\n", add_special_tokens=False)["input_ids"]
            at = next(i for i in range(len(line)) if tuple(line[i : i + len(path)]) == path)
            endings.append(tuple(line[at + len(path) :]))
        return cls(TokenTrie(lines), TokenTrie(trie.paths), tuple(endings))

    @property
    def vocabulary(self) -> Ints:
        """Every token that can be a choice, ascending: the ones whose logits are needed."""
        used = np.union1d(self.films.tokens, self.ratings.tokens)
        return used[used >= 0]


@dataclass
class Entry:
    """A line of the list: a film and a rating, as indices into the lines and the scale."""

    film: int
    film_log_p: float  # of all films of the list up to this one
    value: int | None = None
    start: int = 0  # of its rating's tokens in the list
    log_p: NDArray[np.float64] | None = None  # over the scale


@dataclass
class Hypothesis:
    """A user's list so far. `allowed` marks the rows of the film trie that it may still name."""

    grammar: Grammar
    allowed: Mask
    length: int
    node: Node
    in_film: bool = True  # the next token belongs to a film's line, otherwise to a rating
    log_p: float = 0.0
    tokens: list[int] = field(default_factory=list)
    fed: int = 0  # tokens that the model has read
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def start(cls, grammar: Grammar, allowed: Mask, length: int) -> "Hypothesis":
        """An empty list, with the tokens that are forced at its start."""
        hypothesis = cls(grammar, allowed.copy(), length, grammar.films.root)
        hypothesis._append_forced()
        return hypothesis

    @property
    def is_done(self) -> bool:
        """Whether all lines are complete."""
        return len(self.entries) == self.length and all(e.value is not None for e in self.entries)

    @property
    def has_pending(self) -> bool:
        """Whether there are tokens that the model has not read."""
        return self.fed < len(self.tokens)

    def take_pending(self, most: int | None = None) -> list[int]:
        """The next tokens for the model to read, at most `most`; they count as read."""
        end = len(self.tokens) if most is None else min(self.fed + most, len(self.tokens))
        new = self.tokens[self.fed : end]
        self.fed = end
        return new

    def choices(self) -> tuple[Ints, Ints, Ints]:
        """The tokens that may come next, and the range [low, high) of trie rows behind each."""
        if self.in_film:
            return self.grammar.films.choices(self.node, self.allowed)
        ratings = self.grammar.ratings
        return ratings.choices(self.node, np.ones(ratings.root.high, bool))

    def choose(self, token: int, low: int, high: int, log_p: float) -> "Hypothesis":
        """The list with that token and the tokens it forces."""
        then = replace(
            self,
            allowed=self.allowed.copy(),
            node=Node(low, high, self.node.depth + 1),
            log_p=log_p,
            tokens=[*self.tokens, token],
            entries=[replace(entry) for entry in self.entries],
        )
        then._append_forced()
        return then

    def _append_forced(self) -> None:
        """Append tokens without an alternative, up to the next choice or the end of the list."""
        while not self.is_done:
            trie = self.grammar.films if self.in_film else self.grammar.ratings
            allowed = self.allowed if self.in_film else np.ones(trie.root.high, bool)
            forced, self.node = trie.forced_tokens(self.node, allowed)
            self.tokens += forced.tolist()
            if not trie.is_complete(self.node):
                return
            if self.in_film:
                self._end_film()
            else:
                self._end_line()

    def _end_film(self) -> None:
        """Name the film: the first allowed one among films with the same line."""
        row = self.node.low + int(np.flatnonzero(self.allowed[self.node.low : self.node.high])[0])
        self.allowed[row] = False
        film = int(self.grammar.films.order[row])
        self.entries.append(Entry(film, self.log_p, start=len(self.tokens)))
        self.in_film, self.node = False, self.grammar.ratings.root

    def _end_line(self) -> None:
        entry = self.entries[-1]
        entry.value = int(self.grammar.ratings.order[self.node.low])
        self.tokens += self.grammar.endings[entry.value]
        self.in_film, self.node = True, self.grammar.films.root
