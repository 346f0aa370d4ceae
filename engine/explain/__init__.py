"""Why a model gives a label its probability: LIME over superpixels and words.

Heavy (torch); used by the service and the command line.
"""

from engine.explain.lime import explain, explain_steps
from engine.explain.model import ExplainableModel

__all__ = ["ExplainableModel", "explain", "explain_steps"]
