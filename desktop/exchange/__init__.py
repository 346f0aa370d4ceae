"""Data in and out of the open workspace: review packs, exports, and the panels that ask what they need to know.

The work runs on a thread of its own with a connection of its own. Imported by the shell only; light like the desktop.
"""
