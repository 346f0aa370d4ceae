"""The command line, one module per command. Imported by nobody."""
