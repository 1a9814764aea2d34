"""Models and examples shared with the tests of other packages."""

from tests.small_models import bloom, examples, llama, seeded, spans  # noqa: F401
