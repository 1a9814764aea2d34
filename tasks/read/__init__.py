"""What a language model makes of prompts: distributions of ratings, likelihoods of lines."""
