"""Tasks, labels, keys, colours, severity and guidelines, read from TOML and checked.

Light; imported by everyone.
"""
