"""The moment of a run: its tag, else the configured one, else the source's own, else when the run was made."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.resources import match_feed
from pl_predictor.resources.match_feed import AS_OF_TAG, MatchFeed, Moment
from pl_predictor.sources.football_data import ADDRESSES, FootballData

OWN = datetime(2023, 12, 29, 20, tzinfo=timezone.utc)


class Live:
    """A source that has no moment of its own."""

    name = "live"

    def default_as_of(self) -> None:
        return None


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_feed, "_source", lambda name, _: {"live": Live()}[name])


def moments(feed: MatchFeed, instance: dg.DagsterInstance | None = None, tag: str | None = None) -> list[Moment]:
    """What an asset and its check take for now in one run, tagged with a moment or not."""
    seen: list[Moment] = []

    @dg.asset
    def probe(context: dg.AssetExecutionContext, feed: MatchFeed) -> None:
        seen.append(feed.moment(context))

    @dg.asset_check(asset=probe)
    def looked(context: dg.AssetCheckExecutionContext, feed: MatchFeed) -> dg.AssetCheckResult:
        seen.append(feed.moment(context))
        return dg.AssetCheckResult(passed=True)

    tags = {} if tag is None else {AS_OF_TAG: tag}
    assert dg.materialize([probe, looked], resources={"feed": feed}, instance=instance, tags=tags).success
    return seen


@pytest.mark.parametrize(
    ("tag", "configured", "expected"),
    [
        ("2023-02-03", "2022-01-01", datetime(2023, 2, 3, tzinfo=timezone.utc)),
        ("2023-02-03", None, datetime(2023, 2, 3, tzinfo=timezone.utc)),
        ("2023-07-03T20:00+01:00", None, datetime(2023, 7, 3, 19, tzinfo=timezone.utc)),
        (None, "2022-01-01T12:30", datetime(2022, 1, 1, 12, 30, tzinfo=timezone.utc)),
        (None, None, OWN),
    ],
)
def test_the_tag_wins_over_the_configured_moment_which_wins_over_the_sources_own(
    tag: str | None, configured: str | None, expected: datetime
) -> None:
    seen = moments(MatchFeed(source="snapshot", as_of=configured), tag=tag)
    assert seen == [Moment(expected, replay=True)] * 2
    assert seen[0].as_of.utcoffset() == timedelta(0)


def test_a_tag_that_is_no_date_is_an_error_that_names_the_tag() -> None:
    with pytest.raises(PredictorError, match=r"^run tag pl_predictor/as_of='last Friday' is not a date: write 2023-"):
        moments(MatchFeed(source="snapshot"), tag="last Friday")


def test_a_configured_moment_that_is_no_date_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(PredictorError, match=r"^PL_AS_OF='2023-13-01' is not a date"):
        moments(MatchFeed(source="snapshot", as_of="2023-13-01"))


def test_an_unknown_source_is_an_error_that_names_the_variable() -> None:
    with pytest.raises(PredictorError, match="no match source 'nonsense'; set PL_SOURCE"):
        moments(MatchFeed(source="nonsense"))


@pytest.fixture(params=["UTC", "America/New_York"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock is set to this zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("live", "environment", "time_zone")
def test_without_any_moment_every_step_takes_when_the_run_was_made() -> None:
    before = datetime.now(timezone.utc)
    with dg.DagsterInstance.get() as instance:
        seen = moments(MatchFeed(source="live"), instance)
    assert seen == [Moment(seen[0].as_of, replay=False)] * 2
    assert before <= seen[0].as_of <= datetime.now(timezone.utc)


@pytest.mark.usefixtures("live")
def test_a_tag_makes_a_replay_of_a_live_source() -> None:
    seen = moments(MatchFeed(source="live"), tag="2023-02-03")
    assert seen[0] == Moment(datetime(2023, 2, 3, tzinfo=timezone.utc), replay=True)


@pytest.mark.usefixtures("live")
def test_a_live_source_is_asked_for_what_it_has_now_and_a_snapshot_for_the_moment() -> None:
    moment = Moment(OWN, replay=True)
    before = datetime.now(timezone.utc)
    assert before <= MatchFeed(source="live").asked_at(moment) <= datetime.now(timezone.utc)


def test_a_snapshot_is_asked_for_what_was_known_at_the_moment() -> None:
    assert MatchFeed(source="snapshot").asked_at(Moment(OWN, replay=True)) == OWN


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        (None, ADDRESSES),
        ("http://127.0.0.1:1/a  https://example.org", ("http://127.0.0.1:1/a", "https://example.org")),
        ("/a folder/with spaces", ("/a folder/with spaces",)),
    ],
)
def test_the_site_has_two_addresses_unless_others_are_named(url: str | None, addresses: tuple[str, ...]) -> None:
    source = MatchFeed(source="football-data", football_data_url=url)._source()
    assert isinstance(source, FootballData)
    assert source.addresses == addresses
