"""The processes on this machine: starting, watching, stopping."""
