"""s2h: preference pairs from simple to hard, for vision-language models that must see across images."""

__version__ = "0.1.0"
