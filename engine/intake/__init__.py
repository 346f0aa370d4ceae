"""Readers and writers of interchange formats, and the checks that a capture passes before it enters a workspace.

Light; pillow is imported only while captures are read.
"""
