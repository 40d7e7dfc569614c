"""Who serves, by the registry and by the record, without a model behind it."""

from contextlib import suppress
from datetime import datetime

from mlflow.exceptions import MlflowException
from sqlalchemy import Engine

from pl_predictor.code_version import feature_version
from pl_predictor.core.promotion import Ruling, Windows
from pl_predictor.resources.model_registry import (
    FEATURES_TAG,
    LAST_MATCH_TAG,
    TRAINED_UNTIL_TAG,
    ModelRegistry,
    ModelVersion,
)
from pl_predictor.settings import MODEL_NAME
from pl_predictor.storage.retraining import Occasion, RetrainingStorage


def bare_version(registry: ModelRegistry, last_match: datetime) -> ModelVersion:
    """A registered version of today's features that has seen a match, and no model."""
    tags = {FEATURES_TAG: feature_version(), TRAINED_UNTIL_TAG: last_match.isoformat()}
    client = registry.client()
    with suppress(MlflowException):
        client.create_registered_model(MODEL_NAME)
    made = client.create_model_version(MODEL_NAME, "none", tags={**tags, LAST_MATCH_TAG: last_match.isoformat()})
    return ModelVersion(str(made.version), "", made.tags)


def first_promoted(engine: Engine, as_of: datetime, last_match: datetime, *, replay: bool) -> None:
    """The record of version 1, promoted at `as_of` where nobody had served."""
    RetrainingStorage(engine).keep(
        Ruling(True, "first", "promoted: nobody served before"),
        Occasion("first", "no model could serve", as_of, replay, "abc", "run-1"),
        champion=None,
        challenger="1",
        last_match=last_match,
        windows=Windows(),
    )
