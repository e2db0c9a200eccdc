"""Pairs and predictions as a person looks at them: one self-contained HTML page."""
