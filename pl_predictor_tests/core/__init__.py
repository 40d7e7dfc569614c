"""Tests of the plain computation."""
