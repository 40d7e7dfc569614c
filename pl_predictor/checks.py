"""The checks of what goes in and what comes out: the feed, the features, the forecasts that must be there.

Those of how good the model is are in quality_checks.py; KEYS names all. What they look at is computed by the assets.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from pl_predictor.assets.features import features
from pl_predictor.assets.fixtures import fixtures
from pl_predictor.assets.matches import matches
from pl_predictor.assets.predictions import predictions
from pl_predictor.assets.presentation import table
from pl_predictor.code_version import feature_version
from pl_predictor.core.features import FEATURES, MARKET, build
from pl_predictor.core.feed_contract import CLAIMS
from pl_predictor.core.freshness import results_freshness
from pl_predictor.core.leakage import Leak, feature_leaks, forecast_leaks, rounds_to_look_at, unequal
from pl_predictor.core.matches import KEY, upcoming
from pl_predictor.quality_checks import QUALITY_KEYS
from pl_predictor.resources.match_feed import MatchFeed
from pl_predictor.resources.model_registry import ModelRegistry
from pl_predictor.resources.policy import Policy
from pl_predictor.resources.postgres import Postgres


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset=matches, blocking=True, description=says) for name, says in CLAIMS.items()]
)
def feed_contract(feed: MatchFeed, postgres: Postgres) -> Iterator[dg.AssetCheckResult]:
    """What a season's file must keep, over all files that were ever wanted of the source."""
    files = postgres.feed.files(feed.source)
    for claim in CLAIMS:
        yield judge_claim(claim, files)


def judge_claim(claim: str, files: pd.DataFrame) -> dg.AssetCheckResult:
    """The verdict on one claim of the feed's contract (rows of feed_files of one source).

    An error blocks what is downstream. Of the division below, or of a file that cannot be had now and was had before,
    it is a warning: what is in the tables still stands.
    """
    broken = files[files["state"].isin({"refused", "unreachable"}) & (files["claim"] == claim)]
    had_before = (broken["state"] == "unreachable") & broken["accepted_sha256"].notna()
    gaps = _gaps(files) if claim == "files_arrive_whole" else []
    problems = [*broken["problem"], *gaps]
    there = files[files["state"] != "absent"]
    rows = int(pd.to_numeric(there["rows"]).sum())
    shown: dict[str, Any] = {"files": len(there), "rows": rows, "broken": len(problems)}
    if claim == "odds_are_plausible":
        for discarded in files["discarded"].dropna():
            shown |= {name: shown.get(name, 0) + count for name, count in discarded.items()}
    if claim == "columns_are_known":
        shown["unknown"] = ", ".join(sorted({name for names in files["unknown_columns"].dropna() for name in names}))
    if problems:
        shown["problems"] = dg.MetadataValue.md("\n".join(f"- {problem}" for problem in problems))
    serious = bool(gaps) or bool(((broken["division"] == "E0") & ~had_before).any())
    return dg.AssetCheckResult(
        check_name=claim,
        asset_key=matches.key,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if serious or not problems else dg.AssetCheckSeverity.WARN,
        description=problems[0] if problems else f"{len(there)} files, {rows} matches",
        metadata=shown,
    )


def _gaps(files: pd.DataFrame) -> list[str]:
    """Premier League seasons without a file between others that have one."""
    premier = files[files["division"] == "E0"]
    there = premier.loc[premier["state"] == "accepted", "season"]
    missing = premier[(premier["state"] == "absent") & premier["season"].between(there.min(), there.max())]
    return [
        f"{path} is not there, and its neighbours are: look at the address, or bring it" for path in missing["path"]
    ]


@dg.asset_check(asset=matches)
def results_are_fresh(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres
) -> dg.AssetCheckResult:
    """No result is overdue; summer and international breaks are no staleness."""
    moment = feed.moment(context)
    found = results_freshness(postgres.matches.matches(moment.as_of, replay=moment.replay), moment.as_of)
    return dg.AssetCheckResult(passed=found.fresh, severity=dg.AssetCheckSeverity.WARN, description=found.reason)


@dg.asset_check(asset=fixtures)
def fixture_list_is_sound(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres
) -> dg.AssetCheckResult:
    """The list of fixtures could be read and is renewed as it should be; that no round is published is no fault."""
    moment = feed.moment(context)
    if moment.replay:
        return dg.AssetCheckResult(passed=True, description="a replay: the matches to come are among the matches")
    found = postgres.feed.fixture_state(moment.as_of)
    if found is None:
        return dg.AssetCheckResult(passed=True, description="no list was looked at yet")
    broken = found.state == "feed_broken"
    return dg.AssetCheckResult(
        passed=found.state in {"ok", "no_round_published"},
        severity=dg.AssetCheckSeverity.ERROR if broken else dg.AssetCheckSeverity.WARN,
        description=f"{found.state}: {found.reason}",
        metadata={"state": found.state},
    )


@dg.asset_check(asset=features, blocking=True)
def nothing_knows_the_future(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres
) -> dg.AssetCheckResult:
    """With another future, features and forecasts of what was priced before it are the same."""
    from pl_predictor.core.model import forecast_round

    moment = feed.moment(context)
    # Features of an earlier moment would differ from what is known now, and that would be no leak.
    stored = postgres.matches.features(moment.as_of, code_version=feature_version(), exactly=True)
    matches, below = (
        postgres.matches.matches(moment.as_of, replay=moment.replay, division=division) for division in ("E0", "E1")
    )
    if unequal(stored, build(matches, below), (*FEATURES, *MARKET)):
        said = "the features are not what the matches give: materialize features, and look again"
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR, description=said)
    rounds = rounds_to_look_at(stored, moment.as_of)
    leaks: list[Leak] = []
    for collected in rounds:
        found, rebuilt = feature_leaks(stored, matches, below, collected)
        leaks += found
    if rounds:
        leaks += forecast_leaks(stored, rebuilt, rounds[-1], forecast=forecast_round)
    return judge_leaks(leaks, rounds, len(stored))


def judge_leaks(leaks: list[Leak], rounds: list[datetime], matches: int) -> dg.AssetCheckResult:
    """The verdict on what changed when the future after these rounds did."""
    shown: dict[str, Any] = {"leaks": len(leaks), "matches": matches, "rounds": ", ".join(map(str, rounds))}
    if leaks:
        every_digit = pd.DataFrame(leaks[:20]).astype({"value": str, "with_another_future": str})
        shown["which"] = dg.MetadataValue.md(table(every_digit))
        names = ", ".join(sorted({leak.name for leak in leaks}))
        verdict = f"{names} of {leaks[0].home_team} - {leaks[0].away_team} and others know what came after their odds"
    elif rounds:
        verdict = (
            f"another future after {' and '.join(f'{r:%Y-%m-%d %H:%M}' for r in rounds)} UTC changes nothing before"
        )
    else:
        verdict = "no season can be forecast yet: nothing to judge"
    return dg.AssetCheckResult(
        passed=not leaks, severity=dg.AssetCheckSeverity.ERROR, description=verdict, metadata=shown
    )


@dg.asset_check(asset=predictions)
def every_coming_fixture_has_a_forecast(
    context: dg.AssetCheckExecutionContext, feed: MatchFeed, postgres: Postgres, registry: ModelRegistry, policy: Policy
) -> dg.AssetCheckResult:
    """No fixture of the forecast horizon is left without a forecast of the model that serves."""
    moment = feed.moment(context)
    as_of = moment.as_of
    known = postgres.matches.matches(as_of, replay=moment.replay)
    coming = upcoming(known, feed.sealable_after(moment), as_of + timedelta(days=policy.forecast_days))
    made = postgres.metrics.get_predictions_by_date_range(
        as_of - timedelta(days=policy.forecast_days),
        as_of,
        model_version=registry.serving(as_of).version,
        replay=moment.replay,
    )
    missing = coming[list(KEY)].merge(made[list(KEY)].drop_duplicates(), how="left", indicator=True)
    missing = missing[missing["_merge"] == "left_only"]
    names = ", ".join(f"{m.home_team} - {m.away_team}" for m in missing.itertuples())
    return dg.AssetCheckResult(
        passed=missing.empty,
        description=f"{len(coming)} fixtures within {policy.forecast_days} days, {len(missing)} without a forecast",
        metadata={"fixtures": len(coming), "missing": len(missing), **({"which": names} if names else {})},
    )


KEYS = [
    *(
        key
        for check in (
            feed_contract,
            results_are_fresh,
            fixture_list_is_sound,
            nothing_knows_the_future,
            every_coming_fixture_has_a_forecast,
        )
        for key in check.check_keys
    ),
    *QUALITY_KEYS,
]
"""Every check of the platform."""
