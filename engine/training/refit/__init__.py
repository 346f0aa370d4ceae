"""Refitting heads alone, on kept vectors of backbones that stay as they are: a second's work after some corrections.

The engine service and the `refit` command import it; it shares splits, plans, scores and comparison with training.
"""

from engine.training.refit.run import Progress, Refitted, refit, refit_steps

__all__ = ["Progress", "Refitted", "refit", "refit_steps"]
