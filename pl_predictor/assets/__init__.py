"""The assets, one module each: read, call `core`, write, describe. What a number means is decided in `core`."""
