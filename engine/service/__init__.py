"""The process that the desktop talks to (`python -m engine serve WORKSPACE`), and the messages between them.

`protocol` is light and may be imported by anyone; `server` and what it needs is heavy and runs in the child only.
"""
