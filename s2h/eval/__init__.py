"""Evaluate models: ask questions, read the answers in free text, compute scores with intervals, and compare runs."""
