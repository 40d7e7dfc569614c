"""What the source sent, and what is known of each match now and was known before.

Not here: anything that was computed from it.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from pl_predictor.core.matches import (
    CLOSING_ODDS,
    KEY,
    MATCH_COLUMNS,
    MAX_ODDS,
    ODDS_COLUMNS,
    PRE_MATCH_ODDS,
    STATISTICS,
)
from pl_predictor.tables.columns import described, match_key, metadata, moment


def _of_a_match() -> list["Column[Any]"]:
    """The columns of a match frame that are not its key, and who said so."""
    return [
        described("kickoff", DateTime(timezone=True), nullable=False),
        described("kickoff_time_known", Boolean, nullable=False),
        *(described(name, SmallInteger) for name in ("home_goals", "away_goals")),
        described("result", String(1)),
        *(described(name, SmallInteger) for name in STATISTICS),
        *(described(name, Float) for name in PRE_MATCH_ODDS),
        described("odds_source", String(10)),
        *(described(name, Float) for name in (*MAX_ODDS, *CLOSING_ODDS)),
        described("closing_source", String(10)),
        Column("source", String(50), nullable=False, comment="Which source said so last"),
    ]


def _division() -> "Column[str]":
    return Column(
        "division", String(2), nullable=False, server_default="E0", comment="E0: Premier League, E1: the division below"
    )


matches = Table(
    "matches",
    metadata,
    *match_key(primary_key=True),
    *_of_a_match(),
    _division(),
    moment("first_seen_at", "When the row was first written", default_now=True),
    moment("updated_at", "The last time a value of the row changed", default_now=True),
    CheckConstraint("home_team <> away_team", name="teams_differ"),
    CheckConstraint("result IN ('H', 'D', 'A')", name="result_is_an_outcome"),
    Index("matches_kickoff_idx", "kickoff"),
)

match_revisions = Table(
    "match_revisions",
    metadata,
    *match_key(primary_key=True),
    moment("seen_at", "When the row of `matches` came to say this; a trigger writes it", primary_key=True),
    *_of_a_match(),
    _division(),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
    Index("match_revisions_seen_at_idx", "seen_at"),
)

match_odds = Table(
    "match_odds",
    metadata,
    *match_key(primary_key=True),
    Column("bookmaker", String(10), primary_key=True, comment=ODDS_COLUMNS["bookmaker"].description),
    Column("moment", String(10), primary_key=True, comment=ODDS_COLUMNS["moment"].description),
    moment(
        "seen_at",
        "When these prices were first seen; the newest row is what is latest",
        primary_key=True,
        default_now=True,
    ),
    *(Column(name, Float, nullable=False, comment=ODDS_COLUMNS[name].description) for name in PRE_MATCH_ODDS),
    CheckConstraint("moment IN ('pre_match', 'closing')", name="moment_is_known"),
    ForeignKeyConstraint(list(KEY), [f"matches.{name}" for name in KEY]),
)

downloads = Table(
    "downloads",
    metadata,
    Column("id", Integer, primary_key=True, comment="Number of the row, in the order of arrival"),
    Column("path", String(200), nullable=False, comment="The file's path on the site"),
    Column("url", String(1000), nullable=False, comment="The address that answered"),
    Column("sha256", String(64), nullable=False, comment="Digest of the content"),
    Column("content", LargeBinary, nullable=False, comment="The bytes as they came"),
    Column("headers", JSONB, nullable=False, comment="What the server said of them"),
    moment("fetched_at", "When they came", default_now=True),
    Index("downloads_path_idx", "path", "id"),
)

feed_files = Table(
    "feed_files",
    metadata,
    Column("path", String(200), primary_key=True, comment="The file's path on the site, or in the snapshot"),
    Column("season", SmallInteger, nullable=False, comment=MATCH_COLUMNS["season"].description),
    _division(),
    Column("source", String(50), nullable=False, comment="Which source the file is of"),
    Column("state", String(11), nullable=False, comment="accepted, refused, unreachable, or absent"),
    Column("rows", Integer, comment="Matches in the file that was accepted last"),
    Column("discarded", JSONB, comment="Its cells that held no possible value, by kind"),
    Column("unknown_columns", JSONB, comment="Its columns that nobody has explained yet"),
    Column("claim", String(50), comment="What a refused file breaks: the name of the asset check"),
    Column("problem", Text, comment="The file, the line, the value, and what to do"),
    Column("accepted_sha256", String(64), comment="Digest of the content that the tables have"),
    Column("accepted_by", String(40), comment="Digest of the code that read it"),
    moment("since", "When the row came to say this", default_now=True),
    CheckConstraint("state IN ('accepted', 'refused', 'unreachable', 'absent')", name="state_is_known"),
)

fixture_lists = Table(
    "fixture_lists",
    metadata,
    moment("as_of", "The moment that the state speaks of", primary_key=True),
    Column("state", String(20), nullable=False, comment="ok, no_round_published, feed_stale or feed_broken"),
    Column("reason", Text, nullable=False, comment="Why, in a sentence"),
    Column("fixtures", Integer, nullable=False, comment="Premier League matches to come that are known"),
    moment("timestamp", "When the row was written", default_now=True),
    CheckConstraint("state IN ('ok', 'no_round_published', 'feed_stale', 'feed_broken')", name="state_is_known"),
)
