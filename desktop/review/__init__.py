"""The review page: queue, capture with its explanation, answers, one key per decision.

`page.ReviewPage` puts the widgets together, `controller` turns keys into decisions, `prefetch` keeps the next items
ready. Imported by the window only; imports the engine's light rooms.
"""
