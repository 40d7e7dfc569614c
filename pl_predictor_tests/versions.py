"""Registered versions without a model behind them, for what asks only who serves."""

from contextlib import suppress
from datetime import datetime

from mlflow.exceptions import MlflowException

from pl_predictor.code_version import feature_version
from pl_predictor.resources.model_registry import (
    FEATURES_TAG,
    LAST_MATCH_TAG,
    TRAINED_UNTIL_TAG,
    ModelRegistry,
    ModelVersion,
)
from pl_predictor.settings import MODEL_NAME


def bare_version(registry: ModelRegistry, last_match: datetime) -> ModelVersion:
    """A registered version of today's features that has seen a match, and no model."""
    tags = {FEATURES_TAG: feature_version(), TRAINED_UNTIL_TAG: last_match.isoformat()}
    client = registry.client()
    with suppress(MlflowException):
        client.create_registered_model(MODEL_NAME)
    made = client.create_model_version(MODEL_NAME, "none", tags={**tags, LAST_MATCH_TAG: last_match.isoformat()})
    return ModelVersion(str(made.version), "", made.tags)
