"""DPO on multi-image pairs: the pairs of a run, batches, reference log-probabilities, the trainer, and the run folder. `run`
is the way through; `plan` tells beforehand what a run takes."""
