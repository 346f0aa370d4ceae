"""Scoring many items in 8-bit integers, in a process that imports neither torch nor transformers.

Used where a check of `engine.models.predictor` has proved it to give full precision's verdicts; everything else falls
back on the predictor. May be imported by `engine.cli`, `engine.service.server` and `engine.models`.
"""
