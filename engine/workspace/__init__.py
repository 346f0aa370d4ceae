"""One folder a person can copy: the SQLite file, the captures, the models and the runs.

The only room that writes SQL. Light: imports no torch, and sqlite-utils only when a database is created or migrated.
"""
