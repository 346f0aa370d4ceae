"""Text and image backbones, early fusion, task heads, checkpoints, model cards and scoring.

Heavy (torch); imported by training, explain, the service and the command line, never by the desktop.
"""
