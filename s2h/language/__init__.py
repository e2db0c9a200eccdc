"""English as pictures are described in it.

Captions: `concepts` finds what a caption names, `caption_fit` tells whether it may be true of another picture, and
`attribute_swaps` makes it false. Names: `nouns` has articles and plurals, `related_names` tells which may mean one thing.
Answers: `short_answers` compares them, `reply_verdicts` judges a model's reply. The words come from `word_tables`.
"""
