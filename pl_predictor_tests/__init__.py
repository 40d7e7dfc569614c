"""The tests: they mirror the package; integration/ holds those that need services."""
