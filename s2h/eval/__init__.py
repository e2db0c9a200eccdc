"""Questions, answers read from free text, scores with intervals, and paired comparisons."""
