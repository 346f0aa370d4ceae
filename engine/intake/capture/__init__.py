"""Capture of real pages: addresses, passes, what a page says and what is wrong with it. Light but for `browser`."""
