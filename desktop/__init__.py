"""The window: PySide6 widgets, item models, delegates and actions over the engine's light rooms.

Imports `engine.workspace`, `engine.taxonomy`, `engine.triage`, `engine.intake`, `engine.service.protocol` and the
shared types; never a heavy room. What is heavy runs in child processes.
"""
