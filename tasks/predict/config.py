"""What can be set about predicted ratings."""

import pydantic


class Predict(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Which predictors the tables name."""

    predictor: str = "llm"
    """Name in every table."""
    greedy: bool = True
    """Also keep the rating that greedy text would spell, as `{predictor}_greedy`."""
