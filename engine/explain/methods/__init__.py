"""Ways to explain a verdict, LIME and its alternatives, on one interface: the same superpixels and words for all.

Heavy (torch); used by the service and the command line.
"""

from engine.explain.methods.table import METHODS, check, check_model, explain_by

__all__ = ["METHODS", "check", "check_model", "explain_by"]
