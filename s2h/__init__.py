"""s2h: preference pairs from simple to hard, which teach vision-language models to reason across images."""

__version__ = "0.1.0"
