"""What keeps the long work out of the window: child processes and worker threads, with typed outcomes.

The engine service and the trainer are processes; writes that may take a while run on threads with connections of
their own. Everything here lives on the GUI thread, never blocks it, and reports by signals. Imported by `desktop.desk`.
"""
