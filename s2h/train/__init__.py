"""DPO on multi-image pairs: rows, collation, reference log-probabilities, the trainer, and the run folder around them."""
