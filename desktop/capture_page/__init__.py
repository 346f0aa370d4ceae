"""The capture page: pasted addresses or a file of them become items, page by page, in view.

`page` puts it together: `compose` takes a list, `run` shows what becomes of it (`pages_model`, `pages_delegate`). All
of it talks to `Desk.capturing` and knows no browser. Imported by `desktop.shell`.
"""
