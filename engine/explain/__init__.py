"""Why a model gives a label its probability: LIME over superpixels and words.

Heavy (torch); used by the service and the command line.
"""
