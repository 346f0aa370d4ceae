"""The models page: every model with what it scored, the retrain under way, promotion and rollback.

    ModelsPage(theme, actions, parent); page.show_desk(desk)

Reads the workspace's list of models and a `Desk`'s signals; decides nothing itself. Imported by the window.
"""

from desktop.models_page.page import ModelsPage

__all__ = ["ModelsPage"]
