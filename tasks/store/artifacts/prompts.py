"""Text and token ids that the language model reads."""

from tasks.store.artifacts.artifact import Artifact, Table


class Tokenizer(Artifact):
    """A tokenizer in Hugging Face layout, next to the base model's catalogue entry."""

    top_level = "artifacts"


class Prompts(Artifact):
    """Examples as text and as token ids, in shards; and each film's line for the decoder."""

    top_level = "data"
    tables = {
        "examples": Table(
            "shard-*.parquet",
            "one row an example, sorted by example",
            {
                "example": ("int64", "its number, from 0, unique over all shards"),
                "user_id": ("int32", "whose history"),
                "fold": ("string", "train, validation or test"),
                "kind": ("string", "rate: one branch a target film; recommend: one branch, a list"),
                "context": ("string", "films with their ratings"),
                "question": ("string", "text between context and answers"),
                "answers": ("list<string>", "the text of each branch"),
                "film_ids": ("list<int32>", "target films, in the order of the answers' lines"),
                "ratings": ("list<float>", "their true ratings; null where unknown"),
                "prefix_tokens": ("list<int32>", "context and question, shared by all branches"),
                "branch_tokens": ("list<list<int32>>", "one list a branch"),
                "spans": (
                    "list<struct<branch: int16, start: int32, end: int32, rating: float, "
                    "log_prior: list<float>>>",
                    "supervised tokens [start, end) of a branch (-1: the prefix), in order; with "
                    "the true rating where the span spells one. Empty outside the train fold's "
                    "and validation fold's use",
                ),
            },
        ),
        "films": Table(
            "films.parquet",
            "one row a film that a list may name, sorted by film_id",
            {
                "film_id": ("int32", "which film"),
                "first_rated_at": ("timestamp[us, tz=UTC]", "first rating outside the test fold"),
                "line": ("string", "its answer line up to the rating"),
                "tokens": ("list<int32>", "that line's token ids"),
            },
        ),
    }


class CandidatePrompts(Prompts):
    """Prompts that ask for the ratings of each user's candidates, which are null."""


class PerturbedPrompts(Prompts):
    """Prompts of some test users whose contexts were changed on purpose."""
