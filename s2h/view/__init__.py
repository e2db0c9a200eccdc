"""Pages to look at: pairs and predictions as one self-contained HTML page, and plots of scores and of the audit."""
