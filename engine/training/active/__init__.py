"""Active order by what items look like: diversity over embeddings, and its combination with the model's doubt.

Orders that need stored verdicts alone are in `engine.triage.teaching`. Heavy: imports torch where a model is loaded.
"""
