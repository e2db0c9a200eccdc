"""English as pictures are described in it: what a caption names (concepts.py), which names may mean one thing (related.py),
articles and plurals (nouns.py), false attributes (swaps.py), and whether a caption may be true of a picture (meaning.py)."""
