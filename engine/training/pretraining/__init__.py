"""Masked-language-model training of a text encoder on texts of the domain, labelled or not.

The result is a folder that `[text] backbone` of a recipe names. Heavy (torch); only `engine.cli` imports it.
"""
