"""Experiments: recipes and their peers measured on the same folds of real data, in one table that resumes.

Imported by the command line and by benchmark scripts; builds on the trainer's own loop, losses and calibration.
"""
