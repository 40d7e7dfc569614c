"""The asset `champion`."""

from datetime import datetime
from typing import Any

import dagster as dg

from pl_predictor import tables
from pl_predictor.assets.occasion import why
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.assets.settled import settled_forecasts
from pl_predictor.assets.trained_model import trained_model
from pl_predictor.code_version import code_version
from pl_predictor.core.promotion import Ruling, Windows, expected, judge, paired
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import FAMILY_TAG, LAST_MATCH_TAG, VERDICT_TAG, ModelRegistry, ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.retraining import Decided, Occasion


@dg.asset(
    deps=[trained_model],
    group_name="forecasts",
    owners=OWNERS,
    kinds={"python", "mlflow", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.retraining_events),
)
def champion(
    context: dg.AssetExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.MaterializeResult[None]:
    """Who serves, and why: a row a decision. A challenger is compared with the champion match by match, and promoted or
    refused; a refusal is a result.

    The row is written first and the aliases follow: a run that was killed in between is completed by the next. A
    refused challenger shadows: it forecasts beside the champion, and is scored.
    """
    moment = feed.moment(context)
    with postgres.one_at_a_time("champion"):
        challenger = registry.challenger()
        shown: dict[str, Any] = {}
        if challenger is None:
            shown["reason"] = "there is no challenger"
        else:
            decided = postgres.retraining.decision(challenger.version)
            if decided is None:
                decided = _decide(context.run.run_id, challenger, moment, postgres, registry, policy)
            else:
                shown["reason"] = f"version {challenger.version} has had its verdict"
            _apply(decided, challenger, registry)
            _tell(decided, moment, context.run.run_id, postgres)
            shown |= {"verdict": decided.verdict, "challenger": challenger.version}
    serving = registry.serving(moment.as_of)
    events = postgres.retraining.events()
    told = events[["as_of", "event", "cause", "champion_version", "challenger_version", "verdict"]].iloc[::-1]
    return dg.MaterializeResult(
        metadata={
            **rows(events, preview=told),
            "as_of": dg.MetadataValue.timestamp(moment.as_of),
            "version": serving.version,
            "model": dg.MetadataValue.url(registry.model_url(serving)),
            **shown,
        }
    )


def _decide(
    run_id: str,
    challenger: ModelVersion,
    moment: Moment,
    postgres: Postgres,
    registry: ModelRegistry,
    policy: Policy,
) -> Decided:
    """Compare, judge, and record the verdict."""
    asked = why(challenger.tags)
    assert asked.cause is not None, "whatever is trained has a cause"
    serves = registry.champion()
    windows = Windows()
    if serves is None:
        verdict = Ruling(True, "first", "promoted: nobody served before")
    elif not serves.reads_todays_features:
        verdict = Ruling(True, "features", f"promoted: version {serves.version} reads features that are no more")
    else:
        official, theirs = settled_forecasts(serves, moment, postgres, policy), registry.live_record(challenger)
        windows = Windows(
            walk_forward=paired(registry.record(serves), registry.record(challenger)),
            live=paired(official, theirs),
            live_expected=expected(official, theirs),
        )
        verdict = judge(
            windows,
            refresh=asked.cause == "routine" and serves.tags.get(FAMILY_TAG) == challenger.tags[FAMILY_TAG],
            margin=policy.promotion_margin,
            min_sample=policy.min_sample,
        )
    occasion = Occasion(asked.cause, asked.reason, moment.as_of, moment.replay, code_version(), run_id, asked.evidence)
    return postgres.retraining.keep(
        verdict,
        occasion,
        champion=None if serves is None else serves.version,
        challenger=challenger.version,
        last_match=datetime.fromisoformat(challenger.tags[LAST_MATCH_TAG]),
        windows=windows,
    )


def _apply(decided: Decided, challenger: ModelVersion, registry: ModelRegistry) -> None:
    """Move the aliases to where the decision wants them, wherever an interrupted run left them."""
    registry.note(challenger, {VERDICT_TAG: decided.event, "verdict_words": decided.verdict})
    if decided.promoted:
        registry.promote(challenger)


def _tell(decided: Decided, moment: Moment, run_id: str, postgres: Postgres) -> None:
    """Inform of the decision, once."""
    version = decided.challenger_version
    title = f"Version {version} was {'promoted' if decided.promoted else 'trained, and refused'}"
    postgres.alerts.inform(
        f"decision:{version}",
        title,
        f"{decided.verdict}. It was trained because: {decided.reason}",
        as_of=decided.as_of,
        replay=moment.replay,
        dagster_run_id=run_id,
    )
