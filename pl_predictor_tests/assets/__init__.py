"""Tests of pl_predictor.assets."""
