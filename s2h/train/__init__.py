"""DPO on multi-image pairs: the pairs of a run, batches, reference log-probabilities, the trainer, and the run folder. `run`
trains, `plan` estimates steps, memory and time."""
