"""Tests that need services."""
