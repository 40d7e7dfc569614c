"""The asset `trained_model`."""

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import Field

from pl_predictor.assets.features import features
from pl_predictor.assets.occasion import CAUSE_TAG, LOOP, Why, why
from pl_predictor.assets.presentation import OWNERS, rows
from pl_predictor.assets.settled import settled_forecasts
from pl_predictor.code_version import code_version, feature_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.features import FEATURES, MARKET
from pl_predictor.core.matches import result_known_from
from pl_predictor.core.retraining import CAUSES, objection
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import (
    FAMILY_TAG,
    FEATURES_TAG,
    FINGERPRINT_TAG,
    LAST_MATCH_TAG,
    LIVE_FILE,
    TRAINED_UNTIL_TAG,
    WALK_FORWARD_FILE,
    ModelRegistry,
    ModelVersion,
)
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres

if TYPE_CHECKING:
    from pl_predictor.core.model import TrainedForecaster
    from pl_predictor.core.scoring import Score


class Training(dg.Config):
    """What a person can say of a training in the launchpad."""

    force: bool = Field(default=False, description="train although the cooldown has not ended, or too little is new")
    reason: str = Field(default="", description="why it is trained; an emergency needs a reason")


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
    context: dg.AssetExecutionContext,
    config: Training,
    feed: MatchFeed,
    postgres: Postgres,
    registry: ModelRegistry,
    policy: Policy,
) -> dg.MaterializeResult[None]:
    """A challenger: a version of the registered model, fitted on every result known, by the columns below.

    Trained only for a reason: none can serve, enough is new, a check failed beyond noise, or a person asks. The same
    rows and the same code give the version that is there already. Nothing is trained into a registry that lacks the
    version that serves.
    """
    from pl_predictor import plots
    from pl_predictor.core.scoring import calibration_table

    moment = feed.moment(context)
    registry.require_version(postgres.retraining.champion())
    seen = postgres.matches.features(moment.as_of, code_version=feature_version(), exactly=moment.replay)
    played = seen[seen["result"].notna()].reset_index(drop=True)
    registry.end_abandoned_trainings(context.instance)
    with postgres.one_at_a_time("trained_model"):  # two runs at once would both find nothing, and both train
        # Without a champion a version that is registered was left by a killed run: it has yet to challenge.
        server = registry.server(moment.as_of) if registry.champion() is not None else None
        asked = why(context.run.tags, config.reason) if server is not None else Why("first", CAUSES["first"])
        reason = _not_now(asked, config, server, postgres, policy, moment)
        if server is not None and reason is not None:
            version = server
        else:
            version, reason = _trained(context, played, asked, moment, postgres, registry, policy)
    record = registry.record(version)
    return dg.MaterializeResult(
        metadata={
            **rows(played, preview=record.iloc[::-1]),
            "reliability": dg.MetadataValue.md(plots.reliability(calibration_table(record))),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "version": version.version,
            "walk_forward": dg.MetadataValue.md(_as_table(registry.metrics(version))),
            "mlflow_run": dg.MetadataValue.url(registry.run_url(version)),
            "mlflow_model": dg.MetadataValue.url(registry.model_url(version)),
            "cause": asked.cause or LOOP,
            **({"reason": reason} if reason else {}),
        }
    )


def _not_now(
    asked: Why, config: Training, server: ModelVersion | None, postgres: Postgres, policy: Policy, moment: Moment
) -> str | None:
    """Why nothing is to be trained; None if something is."""
    if server is None:
        return None
    if asked.cause is None:
        return f"version {server.version} serves, and the loop trains only where none does"
    if asked.cause == "emergency" and not config.reason.strip():
        raise PredictorError("an emergency needs a reason: write it in the launchpad, as `reason` of trained_model")
    history = postgres.retraining.history(moment.as_of, server, training=False)
    return objection(asked.cause, history, policy.retraining(), moment.as_of, force=config.force)


def _trained(
    context: dg.AssetExecutionContext,
    played: pd.DataFrame,
    asked: Why,
    moment: Moment,
    postgres: Postgres,
    registry: ModelRegistry,
    policy: Policy,
) -> tuple[ModelVersion, str | None]:
    """The version of these rows and this code, as challenger unless it has had its verdict; and why it is none."""
    from pl_predictor.core.model import live_forecasts, train

    fingerprint = _fingerprint(played)
    version, champion = registry.find(fingerprint), registry.champion()
    if version is None:
        with registry.training_run(context) as tracking:
            trained = train(played)
            official = settled_forecasts(champion, moment, postgres, policy)
            live = live_forecasts(played, trained.trials, official) if len(official) else official
            version = _track(
                tracking, registry, trained, live, {FINGERPRINT_TAG: fingerprint, **asked.as_tags()}, moment
            )
    elif postgres.retraining.decision(version.version) is not None:
        return version, f"version {version.version} was trained on these rows by this code: nothing new"
    if champion is not None and champion.reads_todays_features and not champion.serves(moment.as_of):
        return version, f"version {champion.version} knows later results and stays champion; this one serves until then"
    registry.challenge(version)
    return version, None


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
    live: pd.DataFrame,
    tags: dict[str, str],
    moment: Moment,
) -> ModelVersion:
    """Log the training to the open tracking run and register its model."""
    from pl_predictor.core.scoring import scorecard

    forecaster, combination, scores = trained.forecaster, trained.forecaster.combination, scorecard(trained.record)
    parameters = {
        "as_of": moment.as_of.isoformat(),
        "cause": tags[CAUSE_TAG],
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
    tracking.log_text(live.to_csv(index=False), LIVE_FILE)
    uri = registry.log_model(forecaster, [*FEATURES, *MARKET])
    facts = {
        FEATURES_TAG: feature_version(),
        FAMILY_TAG: " + ".join(combination.families),
        TRAINED_UNTIL_TAG: result_known_from(pd.Series([trained.last_match]))[0].isoformat(),
        LAST_MATCH_TAG: trained.last_match.isoformat(),
        "code_version": code_version(),
    }
    return registry.register(uri, tracking.active_run().info.run_id, {**tags, **facts}, card)


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
