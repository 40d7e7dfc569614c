"""Models come back as they were, no file's own code ever runs, and one version serves, whoever is interrupted."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from typing import Any

import mlflow
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator

from pl_predictor.code_version import feature_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.model import TRUSTED_TYPES, MatchForecaster, train
from pl_predictor.resources.model_registry import REFUSED, VERDICT_TAG, ModelRegistry, ModelVersion
from pl_predictor.resources.tracking import TRAINING_EXPERIMENT
from pl_predictor.settings import MODEL_NAME, Settings, without_user
from pl_predictor_tests.core.league import league

# MLflow says so of its own classes as it imports them.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")

TODAYS_FEATURES = feature_version()
AS_OF = datetime(2024, 1, 13, 6, tzinfo=timezone.utc)
DAY = timedelta(days=1)
BUILT = build(league(seasons=3))
FORECASTER = train(BUILT).forecaster


@pytest.fixture
def registry(environment: Settings) -> ModelRegistry:
    return ModelRegistry.from_settings(environment)


def store(
    registry: ModelRegistry, *, as_of: datetime = AS_OF, features: str = TODAYS_FEATURES, fingerprint: str = "f"
) -> ModelVersion:
    """A registered version of the forecaster, as the asset `trained_model` makes one."""
    registry.client()
    mlflow.set_experiment(experiment_id=registry._experiment(registry.client(), TRAINING_EXPERIMENT))
    tags = {"trained_until": as_of.isoformat(), "features": features, "fingerprint": fingerprint}
    with mlflow.start_run() as run:
        uri = registry.log_model(FORECASTER, [*FEATURES, *MARKET])
        return registry.register(uri, run.info.run_id, tags, "a model")


def test_a_registered_model_forecasts_the_same_to_the_last_bit(registry: ModelRegistry, environment: Settings) -> None:
    version = store(registry)
    loaded = ModelRegistry.from_settings(environment).load(version)
    assert isinstance(loaded, MatchForecaster)
    assert_frame_equal(loaded.forecast(BUILT), FORECASTER.forecast(BUILT), check_exact=True)


def test_a_model_stays_in_the_platforms_own_folder(registry: ModelRegistry, environment: Settings) -> None:
    store(registry)
    assert [path.name for path in (environment.home / "mlflow").rglob("model.skops")] == ["model.skops"]


class Trap(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A model whose loading runs code: it makes the folder that it names."""

    def __init__(self, folder: str = "") -> None:
        self.folder = folder

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.folder = state["folder"]
        Path(self.folder).mkdir(exist_ok=True)


def test_a_file_that_trusts_itself_is_refused_and_runs_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    folder = tmp_path / "made by loading"
    registry.client()
    mlflow.set_experiment(experiment_id=registry._experiment(registry.client(), TRAINING_EXPERIMENT))
    with mlflow.start_run() as run:
        uri = mlflow.sklearn.log_model(
            Trap(str(folder)),
            name="model",
            serialization_format="skops",
            skops_trusted_types=[f"{Trap.__module__}.Trap", *TRUSTED_TYPES],
            pip_requirements=[],
        ).model_uri
    version = registry.register(
        uri, run.info.run_id, {"trained_until": AS_OF.isoformat(), "features": TODAYS_FEATURES}, "a trap"
    )
    folder.rmdir()  # made already as MLflow tried the file
    mlflow.sklearn.load_model(uri)
    assert folder.exists(), "MLflow's own loading trusts the file: the trap works"
    folder.rmdir()
    with pytest.raises(PredictorError, match=r"types that this package does not trust .*Trap"):
        registry.load(version)
    assert not folder.exists()


def test_a_model_without_its_file_is_an_error_that_says_so(registry: ModelRegistry, environment: Settings) -> None:
    version = store(registry)
    next((environment.home / "mlflow").rglob("model.skops")).unlink()
    with pytest.raises(
        PredictorError, match=r"version 1 has no file model\.skops in models:/premier_league_predictor/1"
    ):
        registry.load(version)


def test_a_version_is_found_by_its_fingerprint(registry: ModelRegistry) -> None:
    assert registry.find("a") is None
    first, second = store(registry, fingerprint="a"), store(registry, fingerprint="b")
    assert registry.find("a") == first
    assert registry.find("b") == second
    assert registry.find("c") is None


@pytest.mark.parametrize(
    ("moment", "serves"),
    [
        (AS_OF + 9 * DAY, "1"),
        (AS_OF, "1"),
        (AS_OF - timedelta(microseconds=1), "3"),
        (AS_OF - 2 * DAY, "3"),
        (AS_OF - 3 * DAY, "2"),
        (AS_OF - 4 * DAY, "2"),
    ],
)
def test_who_serves_never_saw_a_later_result(three_versions: ModelRegistry, moment: datetime, serves: str) -> None:
    assert three_versions.serving(moment).version == serves


def test_before_the_first_training_nobody_serves(three_versions: ModelRegistry) -> None:
    with pytest.raises(PredictorError, match="known at 2024-01-09 05:59 UTC: materialize trained_model and champ"):
        three_versions.serving(AS_OF - 4 * DAY - timedelta(seconds=1))


@pytest.fixture
def three_versions(registry: ModelRegistry) -> ModelRegistry:
    """Version 1 is champion; 2 and 3 were trained later, on what was known four and two days earlier."""
    client = registry.client()
    client.create_registered_model(MODEL_NAME)
    for days in (0, 4, 2):
        tags = {"trained_until": (AS_OF - days * DAY).isoformat(), "features": TODAYS_FEATURES}
        client.create_model_version(MODEL_NAME, registry.artifact_folder, tags=tags)
    client.set_registered_model_alias(MODEL_NAME, "champion", "1")
    return registry


def test_without_a_champion_nobody_serves(registry: ModelRegistry) -> None:
    with pytest.raises(PredictorError, match=r"no model was trained .* materialize trained_model and champion first"):
        registry.serving(AS_OF)


def test_a_refused_version_never_serves_in_a_champions_place(three_versions: ModelRegistry) -> None:
    """Where the champion knows too much, the newest one does that the gate has not refused."""
    before = AS_OF - DAY
    assert three_versions.serving(before).version == "3"
    three_versions.note(three_versions.serving(before).version, {VERDICT_TAG: REFUSED})
    assert three_versions.serving(before).version == "2"


def test_a_refused_version_serves_neither_where_nobody_else_can(three_versions: ModelRegistry) -> None:
    only = three_versions.serving(AS_OF - 4 * DAY)
    three_versions.note(only.version, {VERDICT_TAG: REFUSED})
    assert three_versions.server(AS_OF - 4 * DAY) is None


# --- who serves, challenges, and served before -----------------------------------------------------------------------


def registered(registry: ModelRegistry, *, until: datetime = AS_OF, features: str = TODAYS_FEATURES) -> ModelVersion:
    """A version without a model behind it."""
    tags = {"trained_until": until.isoformat(), "features": features}
    made = registry.client().create_model_version(MODEL_NAME, registry.artifact_folder, tags=tags)
    return ModelVersion(str(made.version), "", tags)


@pytest.fixture
def three(registry: ModelRegistry) -> list[ModelVersion]:
    """Three versions, of which nobody is anything yet."""
    registry.client().create_registered_model(MODEL_NAME)
    return [registered(registry) for _ in range(3)]


def aliases(registry: ModelRegistry) -> dict[str, str]:
    return {name: str(of) for name, of in registry.client().get_registered_model(MODEL_NAME).aliases.items()}


def let_be(registry: ModelRegistry, **wanted: str) -> None:
    """These aliases and no others."""
    client = registry.client()
    for name in aliases(registry):
        client.delete_registered_model_alias(MODEL_NAME, name)
    for name, version in wanted.items():
        client.set_registered_model_alias(MODEL_NAME, name, version)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"challenger": "2"}, {"champion": "2"}),
        ({"champion": "1", "challenger": "2"}, {"champion": "2", "previous": "1"}),
        ({"champion": "1", "challenger": "2", "previous": "3"}, {"champion": "2", "previous": "1"}),
        ({"champion": "2", "previous": "1"}, {"champion": "2", "previous": "1"}),
        ({"champion": "1", "challenger": "3"}, {"champion": "2", "challenger": "3", "previous": "1"}),
    ],
    ids=["nobody before", "somebody before", "two before", "it serves already", "another one challenges"],
)
def test_a_promotion_keeps_who_served_before_and_again_changes_nothing(
    registry: ModelRegistry, three: list[ModelVersion], before: dict[str, str], after: dict[str, str]
) -> None:
    let_be(registry, **before)
    registry.promote(three[1])
    assert aliases(registry) == after
    registry.promote(three[1])
    assert aliases(registry) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"champion": "2", "previous": "1"}, {"champion": "1"}),
        ({"champion": "2", "previous": "1", "challenger": "3"}, {"champion": "1", "challenger": "3"}),
        ({"champion": "2", "previous": "1", "challenger": "2"}, {"champion": "1"}),
    ],
    ids=["plain", "another one challenges", "its promotion is unfinished"],
)
def test_a_rollback_lets_the_previous_champion_serve_and_forgets_who_was(
    registry: ModelRegistry, three: list[ModelVersion], before: dict[str, str], after: dict[str, str]
) -> None:
    assert len(three) == 3
    let_be(registry, **before)
    serving, previous = registry.rollback()
    assert not registry.is_put_back(previous.version, serving.version)
    registry.put_back(previous.version, serving.version)
    assert aliases(registry) == after
    assert registry.is_put_back(previous.version, serving.version)
    with pytest.raises(PredictorError, match="there is no previous champion to go back to"):
        registry.rollback()
    assert aliases(registry) == after


def test_nobody_goes_back_to_a_model_whose_features_are_no_more(
    registry: ModelRegistry, three: list[ModelVersion]
) -> None:
    old = registered(registry, features="another code")
    let_be(registry, champion=three[0].version, previous=old.version)
    with pytest.raises(PredictorError, match="version 4 reads features that are no more: check out the code"):
        registry.rollback()
    assert aliases(registry) == {"champion": "1", "previous": "4"}


@pytest.mark.parametrize("verdict", ["refused", "rolled_back"])
def test_who_was_refused_or_taken_back_never_serves_in_a_champions_place(
    registry: ModelRegistry, three: list[ModelVersion], verdict: str
) -> None:
    registry.note(three[2].version, {"verdict": verdict})
    serving = registry.server(AS_OF)
    assert serving is not None
    assert serving.version == "2"


class Interrupted:
    """A registry's client whose call number `at` is interrupted, before it reaches the registry."""

    def __init__(self, client: Any, at: int) -> None:
        self._client, self._at, self.calls = client, at, 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls == self._at:
                raise KeyboardInterrupt
            return method(*args, **kwargs)

        return call


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        (
            lambda registry, version: registry.promote(version),
            {"champion": "1", "challenger": "2", "previous": "3"},
            {"champion": "2", "previous": "1"},
        ),
        (
            lambda registry, _: registry.put_back("1", instead_of="2"),
            {"champion": "2", "challenger": "2", "previous": "1"},
            {"champion": "1"},
        ),
    ],
    ids=["promotion", "rollback of an unfinished promotion"],
)
def test_whoever_is_interrupted_between_any_two_calls_leaves_one_champion_and_can_do_it_again(
    registry: ModelRegistry,
    three: list[ModelVersion],
    operation: Callable[[ModelRegistry, ModelVersion], None],
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    real: Any = registry.client()
    for at in count(1):
        let_be(registry, **before)
        interrupted: Any = Interrupted(real, at)
        registry._client = interrupted
        try:
            operation(registry, three[1])
            break
        except KeyboardInterrupt:
            registry._client = real
        assert aliases(registry)["champion"] in {"1", "2"}
        operation(registry, three[1])
        assert aliases(registry) == after, f"interrupted at its call {at}"
    registry._client = real
    assert at > 5, "it asks who is who, and moves three aliases"
    assert aliases(registry) == after


@pytest.mark.parametrize("version", ["1", "2", None], ids=["the champion", "a version without an alias", "nobody"])
def test_a_registry_that_has_the_version_of_the_record_is_the_right_one(
    registry: ModelRegistry, three: list[ModelVersion], version: str | None
) -> None:
    registry.promote(three[0])
    registry.require_version(version)


@pytest.mark.parametrize(
    "replace",
    [
        lambda registry: registry.client().delete_model_version(MODEL_NAME, "2"),
        lambda registry: registry.client().delete_registered_model(MODEL_NAME),
    ],
    ids=["the version is deleted", "the model is"],
)
def test_a_registry_without_the_version_of_the_record_is_refused_with_its_address_and_what_to_do(
    registry: ModelRegistry, three: list[ModelVersion], replace: Callable[[ModelRegistry], None]
) -> None:
    assert len(three) == 3
    replace(registry)
    with pytest.raises(PredictorError) as refused:
        registry.require_version("2")
    message = str(refused.value)
    address = without_user(registry.tracking_uri)
    assert message.startswith(f"version 2 serves by the table retraining_events, and MLflow at {address} has no such ")
    assert "Set MLFLOW_TRACKING_URI to the registry that has it, or begin anew with an empty home (PL_HOME)" in message
    assert registry.tracking_uri not in message, "it holds a password"


@pytest.mark.parametrize(
    ("until", "features", "shadows"),
    [(AS_OF, TODAYS_FEATURES, True), (AS_OF + DAY, TODAYS_FEATURES, False), (AS_OF, "elo_difference", False)],
    ids=["could serve", "knows later results", "reads other features"],
)
def test_a_challenger_shadows_where_it_could_serve(
    registry: ModelRegistry, three: list[ModelVersion], until: datetime, features: str, shadows: bool
) -> None:
    assert registry.shadow(AS_OF) is None, "nobody challenges"
    registry.promote(three[0])
    challenger = registered(registry, until=until, features=features)
    registry.challenge(challenger)
    found = registry.shadow(AS_OF)
    assert (found.version if found else None) == (challenger.version if shadows else None)
    assert registry.serving(AS_OF).version == three[0].version
