"""The command line, one module per command; each exposes one function and its `EXAMPLES`. Imported by nobody.

`main` starts and ends every command, `registry` lists them, `output` writes answers, `common` holds shared options.
"""
