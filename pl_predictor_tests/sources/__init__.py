"""Tests of where matches come from."""
