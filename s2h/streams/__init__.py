"""Streams of records: `journal` is how a run that was killed goes on."""
