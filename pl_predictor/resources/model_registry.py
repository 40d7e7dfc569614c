"""The models: MLflow's registry, by alias: champion (serves), challenger (shadows), previous (served before).

What moves an alias is decided elsewhere (core/promotion.py) and recorded first (storage/retraining.py): a row without
its alias is completed by the next run. Models are skops files and are loaded with this package's own list of trusted
types, never with the list inside the file: whoever can write a model file could otherwise make loading it run code.
"""

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pl_predictor.code_version import feature_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.resources.tracking import Tracking
from pl_predictor.settings import MODEL_NAME, Settings, without_user

if TYPE_CHECKING:
    from pl_predictor.core.model import MatchForecaster

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
FINGERPRINT_TAG = "fingerprint"
FEATURES_TAG = "features"
TRAINED_UNTIL_TAG = "trained_until"
FAMILY_TAG = "family"
LAST_MATCH_TAG = "last_match"
VERDICT_TAG = "verdict"
REFUSED, ROLLED_BACK = "refused", "rolled_back"
WALK_FORWARD_FILE, LIVE_FILE = "walk_forward.csv", "live_window.csv"


@dataclass(frozen=True)
class ModelVersion:
    """A registered model: its version, the tracking run it came from, its tags."""

    version: str
    run_id: str
    tags: Mapping[str, str]

    def serves(self, as_of: datetime) -> bool:
        """True if it saw no result that was unknown at `as_of`, and today's features are those it was trained on."""
        return self.reads_todays_features and self.trained_until is not None and self.trained_until <= as_of

    @property
    def reads_todays_features(self) -> bool:
        """True if the code of the features is the code that it was trained with."""
        return self.tags.get(FEATURES_TAG) == feature_version()

    @property
    def trained_until(self) -> datetime | None:
        """When the last result that it was trained on became known (UTC); None for a version of somebody else's."""
        return datetime.fromisoformat(self.tags[TRAINED_UNTIL_TAG]) if TRAINED_UNTIL_TAG in self.tags else None

    @property
    def last_match(self) -> datetime | None:
        """The kick-off of the newest match that it was trained on (UTC); None for a version of somebody else's."""
        return datetime.fromisoformat(self.tags[LAST_MATCH_TAG]) if LAST_MATCH_TAG in self.tags else None


class ModelRegistry(Tracking):
    """The registered model: its versions, and which of them serves, challenges, or served before."""

    @classmethod
    def from_settings(cls, settings: Settings) -> "ModelRegistry":
        """The registry of these settings, for use outside a run."""
        return cls(
            tracking_uri=settings.tracking_uri,
            artifact_folder=str(settings.home / "mlflow"),
            ui_url=settings.mlflow_url,
        )

    def log_model(self, forecaster: "MatchForecaster", columns: list[str]) -> str:
        """Store the model in the active tracking run, with its signature; returns its address."""
        import mlflow.sklearn
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema

        from pl_predictor.core.model import TRUSTED_TYPES

        info = mlflow.sklearn.log_model(
            forecaster,
            name="model",
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            signature=ModelSignature(
                inputs=Schema([ColSpec("double", name, required=not name.startswith("market_")) for name in columns]),
                outputs=Schema([ColSpec("string")]),
            ),
            pip_requirements=["scikit-learn", "skops", "pandas"],
        )
        return str(info.model_uri)

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str], description: str) -> ModelVersion:
        """Make a stored model a version of the registered one; who serves is another question (`promote`)."""
        from mlflow.exceptions import MlflowException, RestException

        client = self.client()
        try:
            client.get_registered_model(MODEL_NAME)
        except (MlflowException, RestException) as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            client.create_registered_model(MODEL_NAME, description="Premier League results: home, draw, away")
        version = client.create_model_version(
            *(MODEL_NAME, model_uri, run_id),
            tags=dict(tags),
            description=description,
            model_id=model_uri.removeprefix("models:/"),  # an MLflow server asks for it beside the address
        )
        return _model_version(version)

    def find(self, fingerprint: str) -> ModelVersion | None:
        """The version that was trained by the same code on the same rows."""
        client = self.client()
        found = client.search_model_versions(f"name = '{MODEL_NAME}' and tags.`{FINGERPRINT_TAG}` = '{fingerprint}'")
        return _model_version(found[0]) if found else None

    def require_version(self, version: str | None) -> None:
        """PredictorError where MLflow answers and has no `version`, which is the one that serves by retraining_events.

        The tables know a model by its number, and a registry that was emptied, or is another, gives the same numbers
        again: verdicts and forecasts of one model would be read as another's. None: nobody was to serve yet.
        """
        if version is not None and not self._has(version):
            raise PredictorError(
                f"version {version} serves by the table retraining_events, and MLflow at "
                f"{without_user(self.tracking_uri)} has no such version of {MODEL_NAME}: it is another registry, or "
                "was emptied, and would give the numbers of old models to new ones. Set MLFLOW_TRACKING_URI to the "
                "registry that has it, or begin anew with an empty home (PL_HOME) and database (POSTGRES_DB)"
            )

    def _has(self, version: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self.client().get_model_version(MODEL_NAME, version)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise PredictorError(
                f"MLflow at {without_user(self.tracking_uri)} does not say which versions it has ({error.error_code}): "
                "see its log, or correct MLFLOW_TRACKING_URI"
            ) from error
        return True

    def champion(self) -> ModelVersion | None:
        """The version that forecasts; None before the first promotion."""
        return self._bearer(CHAMPION)

    def challenger(self) -> ModelVersion | None:
        """The newest version that was trained and does not serve: not judged yet, or refused and shadowing."""
        return self._bearer(CHALLENGER)

    def previous(self) -> ModelVersion | None:
        """Who served before the champion, and would again after a rollback."""
        return self._bearer(PREVIOUS)

    def _bearer(self, alias: str) -> ModelVersion | None:
        from mlflow.exceptions import MlflowException

        try:
            return _model_version(self.client().get_model_version_by_alias(MODEL_NAME, alias))
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def challenge(self, version: ModelVersion) -> None:
        """Let a version be the challenger, in the place of whoever was."""
        self.client().set_registered_model_alias(MODEL_NAME, CHALLENGER, version.version)

    def promote(self, version: ModelVersion) -> None:
        """Let a version serve. There is one champion at every moment, and whoever is interrupted can do it again."""
        champion, challenger = self.champion(), self.challenger()
        if champion is None or champion.version != version.version:
            if champion is not None:
                self.client().set_registered_model_alias(MODEL_NAME, PREVIOUS, champion.version)
            self.client().set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)
        if challenger is not None and challenger.version == version.version:
            self.client().delete_registered_model_alias(MODEL_NAME, CHALLENGER)

    def rollback(self) -> tuple[ModelVersion, ModelVersion]:
        """Who would stop and who would start to serve by a rollback. PredictorError where nobody served before."""
        champion, previous = self.champion(), self.previous()
        if champion is None or previous is None or champion.version == previous.version:
            raise PredictorError(
                "there is no previous champion to go back to: none was promoted since the last rollback"
            )
        if not previous.reads_todays_features:
            raise PredictorError(
                f"version {previous.version} reads features that are no more: check out the code that it was trained "
                f"with ({previous.tags.get('code_version')}) and roll back there, or train"
            )
        return champion, previous

    def is_put_back(self, version: str, instead_of: str) -> bool:
        """True if nothing is left to do for `put_back`."""
        champion, previous = self.champion(), self.previous()
        return not (
            (champion is not None and champion.version == instead_of)
            or (previous is not None and previous.version == version)
        )

    def put_back(self, version: str, instead_of: str) -> None:
        """Let `version` serve again `instead_of` the one that was promoted after it; then there is none previous.
        Whoever is interrupted can do it again."""
        challenger, previous = self.challenger(), self.previous()
        if challenger is not None and challenger.version == instead_of:
            # Its promotion was interrupted, and would be completed by the next run. First, while it can be seen.
            self.client().delete_registered_model_alias(MODEL_NAME, CHALLENGER)
        self.client().set_registered_model_alias(MODEL_NAME, CHAMPION, version)
        if previous is not None:
            self.client().delete_registered_model_alias(MODEL_NAME, PREVIOUS)

    def note(self, version: str, tags: Mapping[str, str]) -> None:
        """Write tags on a version."""
        for name, value in tags.items():
            self.client().set_model_version_tag(MODEL_NAME, version, name, value)

    def shadow(self, as_of: datetime) -> ModelVersion | None:
        """The challenger, if it could serve at `as_of`: its forecasts are recorded beside the champion's."""
        challenger = self.challenger()
        return challenger if challenger is not None and challenger.serves(as_of) else None

    def serving(self, as_of: datetime) -> ModelVersion:
        """Who forecasts at `as_of`; PredictorError where nobody can."""
        version = self.server(as_of)
        if version is None:
            raise PredictorError(
                f"no model was trained on what was known at {as_of:%Y-%m-%d %H:%M} UTC: materialize trained_model and "
                "champion first"
            )
        return version

    def server(self, as_of: datetime) -> ModelVersion | None:
        """The champion; before its training, in a replay, the newest version trained by then; None if there is none.

        A model that has seen results of after `as_of` never forecasts there, and none that the gate refused forecasts
        in a champion's place.
        """
        champion = self.champion()
        if champion is not None and champion.serves(as_of):
            return champion
        versions = map(_model_version, self.client().search_model_versions(f"name = '{MODEL_NAME}'"))
        earlier = [
            (version.trained_until, int(version.version), version)
            for version in versions
            if version.serves(as_of) and version.tags.get(VERDICT_TAG) not in {REFUSED, ROLLED_BACK}
        ]
        return max(earlier, key=lambda found: found[:2])[2] if earlier else None

    def load(self, version: ModelVersion) -> "MatchForecaster":
        """The forecaster of that version."""
        import mlflow
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        from pl_predictor.core.model import TRUSTED_TYPES

        self.client()
        with tempfile.TemporaryDirectory() as folder:
            uri = f"models:/{MODEL_NAME}/{version.version}"
            path = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder)) / "model.skops"
            if not path.is_file():
                raise PredictorError(f"model version {version.version} has no file model.skops in {uri}: train again")
            try:
                forecaster: MatchForecaster = skops.io.load(path, trusted=TRUSTED_TYPES)
            except UntrustedTypesFoundException as error:
                raise PredictorError(
                    f"model version {version.version} holds types that this package does not trust ({error}): "
                    "somebody else made that file; train again"
                ) from error
        return forecaster

    def record(self, version: ModelVersion) -> pd.DataFrame:
        """The walk-forward forecasts that the training of `version` logged (columns of a forecast frame, result)."""
        return self._logged(version, WALK_FORWARD_FILE)

    def live_record(self, version: ModelVersion) -> pd.DataFrame:
        """What it would have forecast for the matches that the champion of its training had forecast (the same)."""
        return self._logged(version, LIVE_FILE)

    def _logged(self, version: ModelVersion, file: str) -> pd.DataFrame:
        import mlflow

        uri = f"{self.client().get_run(version.run_id).info.artifact_uri}/{file}"
        return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(uri)), parse_dates=["kickoff"])

    def metrics(self, version: ModelVersion) -> dict[str, float]:
        """The metrics of the run that trained `version`: its walk-forward scores."""
        return dict(self.client().get_run(version.run_id).data.metrics)

    def run_url(self, version: ModelVersion) -> str:
        """Where a browser shows the training run."""
        experiment = self.client().get_run(version.run_id).info.experiment_id
        return f"{self.ui_url}/#/experiments/{experiment}/runs/{version.run_id}"

    def model_url(self, version: ModelVersion) -> str:
        """Where a browser shows the registered version."""
        return f"{self.ui_url}/#/models/{MODEL_NAME}/versions/{version.version}"


def _model_version(version: Any) -> ModelVersion:
    return ModelVersion(version=str(version.version), run_id=version.run_id, tags=dict(version.tags))
