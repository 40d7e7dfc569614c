"""Plain computation: no Dagster, no input or output, no clock (`as_of` is always an argument).

Nothing here imports the rest of the package.
"""
