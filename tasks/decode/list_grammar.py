"""A list that is being written: what may stand next, what must, and what that makes of it.

A list is k lines, each a film's line up to its rating, a rating, and what ends the line. At each
open place one token is chosen; all that is forced behind it follows at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from tasks.readout.rating_trie import RatingTrie
from tasks.readout.token_trie import Node, TokenTrie

Ints = NDArray[np.int64]
Alive = NDArray[np.bool_]


@dataclass(frozen=True)
class Grammar:
    """The films' lines and the ratings' spellings as tries; endings[value] ends a line."""

    films: TokenTrie
    ratings: TokenTrie
    endings: tuple[tuple[int, ...], ...]

    @classmethod
    def of(
        cls,
        films: Sequence[Sequence[int]],
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
        return cls(TokenTrie(films), TokenTrie(trie.paths), tuple(endings))

    @property
    def vocabulary(self) -> Ints:
        """Every token that can be chosen, ascending: what logits are needed for."""
        used = np.union1d(self.films.tokens, self.ratings.tokens)
        return used[used >= 0]


@dataclass
class Entry:
    """A line of the list: a film by its place in the grammar's texts, and a place of the scale."""

    film: int
    film_log_p: float  # of the list up to and with this film
    value: int | None = None
    start: int = 0  # of its rating's tokens in the list
    end: int = 0
    log_p: NDArray[np.float64] | None = None  # of the scale, where one token tells the rating


@dataclass
class Draft:
    """One way to write a user's list. `alive` marks the films that may be named, by trie row."""

    grammar: Grammar
    alive: Alive
    length: int
    node: Node
    names_film: bool = True  # else it is spelling a rating
    log_p: float = 0.0
    tokens: list[int] = field(default_factory=list)
    fed: int = 0  # tokens that the model has been shown
    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def begin(cls, grammar: Grammar, alive: Alive, length: int) -> "Draft":
        """An empty list; the first tokens may already be forced."""
        draft = cls(grammar, alive.copy(), length, grammar.films.root)
        draft._advance()
        return draft

    @property
    def done(self) -> bool:
        """Whether all lines stand."""
        return len(self.entries) == self.length and all(e.value is not None for e in self.entries)

    @property
    def behind(self) -> bool:
        """Whether the model has not been shown all of it."""
        return self.fed < len(self.tokens)

    def unfed(self, most: int | None = None) -> list[int]:
        """The next tokens, at most so many, that the model is shown; from now on it has been."""
        end = len(self.tokens) if most is None else min(self.fed + most, len(self.tokens))
        new = self.tokens[self.fed : end]
        self.fed = end
        return new

    def choices(self) -> tuple[Ints, Ints, Ints]:
        """Tokens that may stand next, and the rows of the trie behind each."""
        if self.names_film:
            return self.grammar.films.choices(self.node, self.alive)
        ratings = self.grammar.ratings
        return ratings.choices(self.node, np.ones(ratings.root.high, bool))

    def chosen(self, token: int, low: int, high: int, log_p: float) -> "Draft":
        """The list with that token, and with all that must follow it."""
        then = replace(
            self,
            alive=self.alive.copy(),
            node=Node(low, high, self.node.depth + 1),
            log_p=log_p,
            tokens=[*self.tokens, token],
            entries=[replace(entry) for entry in self.entries],
        )
        then._advance()
        return then

    def _advance(self) -> None:
        """Write what is forced, up to the next open place or the end of the list."""
        while not self.done:
            trie = self.grammar.films if self.names_film else self.grammar.ratings
            alive = self.alive if self.names_film else np.ones(trie.root.high, bool)
            forced, self.node = trie.forced_tokens(self.node, alive)
            self.tokens += forced.tolist()
            if not trie.is_complete(self.node):
                return
            if self.names_film:
                self._name_film(alive)
            else:
                self._end_line()

    def _name_film(self, alive: Alive) -> None:
        """Of living films whose lines are the same, the first."""
        row = self.node.low + int(np.flatnonzero(alive[self.node.low : self.node.high])[0])
        self.alive[row] = False
        film = int(self.grammar.films.order[row])
        self.entries.append(Entry(film, self.log_p, start=len(self.tokens)))
        self.names_film, self.node = False, self.grammar.ratings.root

    def _end_line(self) -> None:
        entry = self.entries[-1]
        entry.value = int(self.grammar.ratings.order[self.node.low])
        entry.end = len(self.tokens)
        self.tokens += self.grammar.endings[entry.value]
        self.names_film, self.node = True, self.grammar.films.root
