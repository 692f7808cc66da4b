"""Knows the written forms of the model: what people put into files, checked and parsed."""
