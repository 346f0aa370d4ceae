"""Recipes, splits, the training loop and its callbacks, metrics, calibration and the comparison with the champion.

Heavy (torch); a pure worker: it starts from a run folder's snapshot and leaves a candidate folder.
"""
