"""Reads and writes of the tables: frames in, frames out, one transaction a write. Knows PostgreSQL and not Dagster."""
