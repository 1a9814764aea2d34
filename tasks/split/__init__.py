"""Parts each history into what is shown and what is to be guessed."""
