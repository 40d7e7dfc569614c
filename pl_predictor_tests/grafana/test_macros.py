"""The port of Grafana's macros gives what Grafana gives."""

from datetime import datetime, timezone

import pytest

from pl_predictor_tests.grafana.macros import View, expanded

VIEW = View(
    datetime(2024, 3, 31, tzinfo=timezone.utc), datetime(2024, 4, 1, tzinfo=timezone.utc), "5m", {"model": "it's"}
)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("$__time(t)", 't AS "time"'),
        ("$__timeEpoch(t)", 'extract(epoch from t) as "time"'),
        ("$__timeFilter(a.t)", "a.t BETWEEN '2024-03-31T00:00:00Z' AND '2024-04-01T00:00:00Z'"),
        ("t > $__timeFrom()", "t > '2024-03-31T00:00:00Z'"),
        ("t < $__timeTo()", "t < '2024-04-01T00:00:00Z'"),
        ("$__timeGroup(t,'5m')", "floor(extract(epoch from t)/300)*300"),
        ("$__timeGroup(t, $__interval, NULL)", "floor(extract(epoch from t)/300)*300"),
        ("$__timeGroupAlias(t,1h,previous)", 'floor(extract(epoch from t)/3600)*3600 AS "time"'),
        ("$__unixEpochFilter(t)", "t >= 1711843200 AND t <= 1711929600"),
        ("$__unixEpochGroup(t,'1d',0)", "floor(t/86400)*86400"),
        ("$__unixEpochGroupAlias(t,'1d')", 'floor(t/86400)*86400 AS "time"'),
        ("$__interval_ms $__interval", "300000 5m"),
        ("$__unixEpochFrom() $__unixEpochTo()", "1711843200 1711929600"),
        ("${model:sqlstring}", "'it''s'"),
        ("'$model' '${model}'", "'it''s' 'it''s'"),
    ],
)
def test_a_macro_expands_as_in_grafana(written: str, sent: str) -> None:
    assert expanded(written, VIEW) == sent


@pytest.mark.parametrize("written", ["$__nothing(t)", "$other", "$__timeGroup(t)", "$__timeGroup(t, 5 minutes)"])
def test_what_grafana_does_not_know_is_an_error(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        expanded(written, VIEW)
