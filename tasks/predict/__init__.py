"""Predicted ratings: distributions read from the model, calibrated, with 80 % intervals."""
