"""Which items come first: the named queues, their filters and their order.

Light; builds queries that the workspace answers.
"""
