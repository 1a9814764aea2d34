"""Learns the tokenizer of bloom-mini: byte-level BPE over whole fields, not over words.

Titles are not split at blanks, so a film that many have rated becomes one or two tokens, and a
line of a prompt about eight instead of twenty. Ratings, line ends and the short facts of a line
stand alone, so that each is one token whatever stands beside it.
"""

from collections.abc import Iterable, Iterator, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tasks.templates import Compact, guesses, known_facts

BEGIN, END, PAD = "<s>", "</s>", "<pad>"
PHRASE_WEIGHT = 100
# What is never merged with its neighbours: line ends, the words before a rating, ratings, facts.
ALONE = r"\n|, Rating:? ?|, (?:film|user|guess) (?:\d\.\d|new)| x\d+|\d\.\d(?=\n)"


def train_tokenizer(
    texts: Iterable[str], *, scale: Sequence[float], vocabulary: int
) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of that many tokens from `texts`, any byte being expressible.

    Raises ValueError where a rating of `scale` did not become one token.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(ALONE), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[BEGIN, END, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_with_phrases(texts, scale), trainer)
    for value in scale:
        if len(found := tokenizer.encode(f", Rating: {value:.1f}\n").tokens) != 3:
            raise ValueError(
                f"the rating {value:.1f} is not one token of a vocabulary of {vocabulary} "
                f"(its line ends in {found[1:]}): ask for a larger vocabulary"
            )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=PAD
    )


def _with_phrases(texts: Iterable[str], scale: Sequence[float]) -> Iterator[str]:
    """The texts, and what prompts say beside them, often enough that each phrase is merged."""
    yield from texts
    ratings = [f"{words}{value:.1f}\n" for value in scale for words in (", Rating: ", ", Rating ")]
    phrases = [*ratings * 10, *known_facts("film"), *known_facts("user"), *guesses()]
    yield from (phrase for phrase in phrases for _ in range(PHRASE_WEIGHT))
    yield from (Compact().recommend for _ in range(PHRASE_WEIGHT))
