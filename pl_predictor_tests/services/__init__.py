"""Tests of the processes on this machine."""
