"""The asset `trained_model`."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from pl_predictor.assets.features import features
from pl_predictor.assets.presentation import OWNERS, rows
from pl_predictor.code_version import code_version, feature_version
from pl_predictor.core.features import FEATURES, MARKET
from pl_predictor.core.matches import result_known_from
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import (
    FEATURES_TAG,
    FINGERPRINT_TAG,
    TRAINED_UNTIL_TAG,
    WALK_FORWARD_FILE,
    ModelRegistry,
    ModelVersion,
)
from pl_predictor.resources.postgres import Postgres

if TYPE_CHECKING:
    from pl_predictor.core.model import TrainedForecaster
    from pl_predictor.core.scoring import Score


@dg.asset(
    deps=[features],
    group_name="forecasts",
    owners=OWNERS,
    kinds={"python", "scikitlearn", "mlflow"},
    code_version=code_version(),
    metadata={
        "dagster/column_schema": dg.TableSchema(
            columns=[
                *(dg.TableColumn(name, "float", feature.description) for name, feature in FEATURES.items()),
                *(dg.TableColumn(name, "float", "de-vigged market probability, or null") for name in MARKET),
            ]
        )
    },
)
def trained_model(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry
) -> dg.MaterializeResult[None]:
    """A version of the registered model, fitted on every result known; its columns are what it is fitted on.

    The same rows and the same code give the version that is there already. The first version becomes champion.
    """
    from pl_predictor import plots
    from pl_predictor.core.model import train
    from pl_predictor.core.scoring import calibration_table, scorecard

    moment = feed.moment(context)
    as_of = moment.as_of
    seen = postgres.matches.features(as_of, code_version=feature_version(), exactly=moment.replay)
    played = seen[seen["result"].notna()].reset_index(drop=True)
    fingerprint = _fingerprint(played)
    metadata: dict[str, Any] = {}
    registry.end_abandoned_trainings(context.instance)
    with postgres.one_at_a_time("trained_model"):  # two runs at once would both find nothing, and both train
        version = registry.find(fingerprint)
        if version is None:
            with registry.training_run(context) as tracking:
                trained = train(played)
                scores = scorecard(trained.record)
                version = _track(tracking, registry, trained, scores, fingerprint, as_of.isoformat())
        else:
            metadata["reason"] = f"version {version.version} was trained on these rows by this code: nothing new"
        champion = registry.ensure_champion(version)
    record = registry.record(version)
    return dg.MaterializeResult(
        metadata={
            **rows(played, preview=record.iloc[::-1]),
            "reliability": dg.MetadataValue.md(plots.reliability(calibration_table(record))),
            "as_of": dg.MetadataValue.timestamp(as_of),
            "version": version.version,
            "champion": champion.version,
            "walk_forward": dg.MetadataValue.md(_as_table(registry.metrics(version))),
            "mlflow_run": dg.MetadataValue.url(registry.run_url(version)),
            "mlflow_model": dg.MetadataValue.url(registry.model_url(version)),
            **metadata,
        }
    )


def _fingerprint(played: pd.DataFrame) -> str:
    """The same for the same rows, code and scikit-learn: their fit is the same bit by bit."""
    import sklearn

    digest = sha256(f"{code_version()} {sklearn.__version__} {list(played.columns)}".encode())
    digest.update(pd.util.hash_pandas_object(played, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _track(
    tracking: Any,
    registry: ModelRegistry,
    trained: "TrainedForecaster",
    scores: "list[Score]",
    fingerprint: str,
    as_of: str,
) -> ModelVersion:
    """Log the training to the open tracking run and register its model."""
    forecaster, combination = trained.forecaster, trained.forecaster.combination
    parameters = {
        "as_of": as_of,
        "matches": trained.matches,
        "first_match": trained.first_match.isoformat(),
        "last_match": trained.last_match.isoformat(),
        "code_version": code_version(),
        **{f"weight_{name}": weight for name, weight in combination.families.items()},
        "sharpness": combination.sharpness,
        "market_weight": combination.market_weight,
        "draw_multiplier": combination.draw_multiplier,
    }
    card = _model_card(parameters, scores)
    tracking.log_params(parameters)
    tracking.log_metrics({score.metric: score.value for score in scores})
    tracking.log_metrics({f"{score.metric}_n": score.n for score in scores})
    tracking.log_text(card, "model_card.md")
    tracking.log_text(trained.record.to_csv(index=False), WALK_FORWARD_FILE)
    uri = registry.log_model(forecaster, [*FEATURES, *MARKET])
    tags = {
        FINGERPRINT_TAG: fingerprint,
        FEATURES_TAG: feature_version(),
        TRAINED_UNTIL_TAG: result_known_from(pd.Series([trained.last_match]))[0].isoformat(),
        "code_version": code_version(),
    }
    return registry.register(uri, tracking.active_run().info.run_id, tags, card)


def _model_card(parameters: dict[str, Any], scores: "list[Score]") -> str:
    lines = [
        "# Premier League results: home win, draw or away win",
        "",
        "**Intended use**: probabilities of the three results before kick-off, for analysis. Not for real bets.",
        "**Model**: a multinomial logit, a Dixon-Coles model of goals and gradient boosting on match-by-match",
        "strengths, pooled and calibrated by their past forecasts; where bookmakers' odds are known, pooled with",
        "their de-vigged probabilities; a decision rule that can say draw.",
        "**Limits**: knows no line-ups, injuries or transfers; no crowds in 2020/21 changed home advantage.",
        "",
        "## Training",
        *(f"- {name}: {value}" for name, value in parameters.items()),
        "",
        "## Walk-forward, each season forecast by a model that had not seen it",
        "| metric | value | 95 % interval | matches |",
        "|---|---|---|---|",
        *(f"| {s.metric} | {s.value:.4f} | {_interval(s)} | {s.n} |" for s in scores),
    ]
    return "\n".join(lines) + "\n"


def _interval(score: "Score") -> str:
    return "too few days" if score.low is None or score.high is None else f"{score.low:.4f} to {score.high:.4f}"


def _as_table(metrics: dict[str, float]) -> str:
    names = [name for name in metrics if not name.endswith("_n")]
    lines = [f"| {name} | {metrics[name]:.4f} | {metrics.get(f'{name}_n', 0):.0f} |" for name in sorted(names)]
    return "\n".join(["| metric | value | matches |", "|---|---|---|", *lines])
