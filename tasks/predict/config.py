"""Settings of predicted ratings."""

import pydantic


class Predict(pydantic.BaseModel, frozen=True, extra="forbid"):
    """The predictors to write."""

    predictor: str = "llm"
    """Name in every table."""
    greedy: bool = True
    """Also write the rating that greedy decoding would spell, as `{predictor}_greedy`."""
