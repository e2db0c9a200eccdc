"""Words of answers, captions and questions: what they mean, and how they are written."""
