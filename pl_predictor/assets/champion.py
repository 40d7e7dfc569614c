"""The asset `champion`."""

from typing import Any

import dagster as dg
from pydantic import Field

from pl_predictor import tables
from pl_predictor.assets.occasion import CAUSE_TAG, ROLLBACK, why
from pl_predictor.assets.presentation import OWNERS, column_schema, rows
from pl_predictor.assets.settled import settled_forecasts
from pl_predictor.assets.trained_model import trained_model
from pl_predictor.code_version import code_version
from pl_predictor.core.errors import PredictorError
from pl_predictor.core.promotion import Ruling, Windows, expected, judge, paired
from pl_predictor.core.retraining import refresh_is_due
from pl_predictor.resources.match_feed import MatchFeed, Moment
from pl_predictor.resources.model_registry import FAMILY_TAG, VERDICT_TAG, ModelRegistry, ModelVersion
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres
from pl_predictor.storage.retraining import Decided, Occasion


class Change(dg.Config):
    """What a person can say of a change of champion in the launchpad."""

    reason: str = Field(default="", description="why the previous champion is to serve again; a rollback needs one")


@dg.asset(
    deps=[trained_model],
    group_name="forecasts",
    owners=OWNERS,
    kinds={"python", "mlflow", "postgres"},
    code_version=code_version(),
    metadata=column_schema(tables.retraining_events),
)
def champion(
    context: dg.AssetExecutionContext,
    config: Change,
    feed: MatchFeed,
    postgres: Postgres,
    registry: ModelRegistry,
    policy: Policy,
) -> dg.MaterializeResult[None]:
    """Who serves, and why: a row a decision. A challenger is compared with the champion match by match, and promoted or
    refused; a refusal is a result. In the job `rollback` the previous champion serves again.

    The row is written first and the aliases follow: a run that was killed in between is completed by the next. A
    refused challenger shadows: it forecasts beside the champion, and is scored.
    """
    moment, run_id = feed.moment(context), context.run.run_id
    with postgres.one_at_a_time("champion"):
        completed = _complete(moment, run_id, postgres, registry)
        if context.run.tags.get(CAUSE_TAG) != ROLLBACK:
            shown = _challenged(moment, run_id, postgres, registry, policy)
        elif completed is not None and completed.event == "rolled_back":
            shown = {"reason": "the rollback that was asked for had been interrupted"}
        else:
            decided = _decide_rollback(config.reason, run_id, moment, postgres, registry)
            shown = _put_back(decided, moment, run_id, postgres, registry)
        if completed is not None:
            shown["completed"] = completed.verdict
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


def _complete(moment: Moment, run_id: str, postgres: Postgres, registry: ModelRegistry) -> Decided | None:
    """Do what the newest decision asks for and an interrupted run has not done; that decision, if any."""
    newest, challenger = postgres.retraining.newest(), registry.challenger()
    if newest is None:
        return None
    if newest.promoted and challenger is not None and challenger.version == newest.challenger_version:
        _judged(newest, challenger, moment, run_id, postgres, registry)
        return newest
    if newest.event == "rolled_back":
        assert newest.champion_version is not None, "a rollback takes a champion back"
        if not registry.is_put_back(newest.challenger_version, newest.champion_version):
            _put_back(newest, moment, run_id, postgres, registry)
            return newest
    return None


def _decide_rollback(reason: str, run_id: str, moment: Moment, postgres: Postgres, registry: ModelRegistry) -> Decided:
    """Record that the previous champion is to serve again; PredictorError where it could not."""
    if not reason.strip():
        raise PredictorError("a rollback needs a reason: write it in the launchpad, as `reason` of champion")
    serving, previous = registry.rollback()
    occasion = Occasion(ROLLBACK, reason, moment.as_of, moment.replay, code_version(), run_id)
    return postgres.retraining.keep_rollback(occasion, champion=serving.version, previous=previous.version)


def _put_back(
    decided: Decided, moment: Moment, run_id: str, postgres: Postgres, registry: ModelRegistry
) -> dict[str, Any]:
    """Move the aliases to where the rollback wants them, wherever an interrupted run left them; inform of it once."""
    taken, put_back = decided.champion_version, decided.challenger_version
    assert taken is not None, "a rollback takes a champion back"
    registry.note(taken, {VERDICT_TAG: decided.event, "verdict_words": decided.reason})
    registry.put_back(put_back, taken)
    postgres.alerts.inform(
        f"rollback:{taken}:{put_back}:{decided.as_of.isoformat()}",
        f"Version {put_back} serves again",
        f"Version {taken} was taken back: {decided.reason}",
        as_of=decided.as_of,
        replay=moment.replay,
        dagster_run_id=run_id,
    )
    return {"verdict": decided.verdict}


def _challenged(
    moment: Moment, run_id: str, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dict[str, Any]:
    """Judge the challenger, if there is one that was not judged before; what to show of it."""
    challenger = registry.challenger()
    if challenger is None:
        return {"reason": "there is no challenger"}
    decided = postgres.retraining.decision(challenger.version)
    if decided is None:
        decided = _decide(run_id, challenger, moment, postgres, registry, policy)
        return _judged(decided, challenger, moment, run_id, postgres, registry)
    shown = {"reason": f"version {challenger.version} has had its verdict"}
    return {**_judged(decided, challenger, moment, run_id, postgres, registry), **shown}


def _judged(
    decided: Decided, challenger: ModelVersion, moment: Moment, run_id: str, postgres: Postgres, registry: ModelRegistry
) -> dict[str, Any]:
    """Let who is to serve serve, wherever an interrupted run left the aliases; inform of the verdict once."""
    registry.note(challenger.version, {VERDICT_TAG: decided.event, "verdict_words": decided.verdict})
    if decided.promoted:
        registry.promote(challenger)
    _tell(decided, moment, run_id, postgres)
    return {"verdict": decided.verdict, "challenger": challenger.version}


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
    assert challenger.last_match is not None, "and a last match"
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
        same_family = serves.tags.get(FAMILY_TAG) == challenger.tags[FAMILY_TAG]
        refresh = asked.cause == "routine"
        if asked.cause == "drift":
            history = postgres.retraining.history(moment.as_of, serves, training=True)
            refresh = refresh_is_due(history, policy.retraining())
        verdict = judge(
            windows,
            refresh=same_family and refresh,
            margin=policy.promotion_margin,
            min_sample=policy.min_sample,
        )
    occasion = Occasion(asked.cause, asked.reason, moment.as_of, moment.replay, code_version(), run_id, asked.evidence)
    return postgres.retraining.keep(
        verdict,
        occasion,
        champion=None if serves is None else serves.version,
        challenger=challenger.version,
        last_match=challenger.last_match,
        windows=windows,
    )


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
