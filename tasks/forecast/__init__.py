"""Forecasts what the long stages of the language model take on the device at hand."""
