"""How long people wait for the platform and how much memory it takes: `make bench`. Timing limits live here alone."""
