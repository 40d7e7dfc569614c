"""Create what a live source needs: downloads, the state of each file, every price, the log of revisions."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
ALTER TABLE matches
    ADD COLUMN division varchar(2) NOT NULL DEFAULT 'E0',
    ADD COLUMN home_half_time_goals smallint,
    ADD COLUMN away_half_time_goals smallint,
    ADD COLUMN home_corners smallint,
    ADD COLUMN away_corners smallint,
    ADD COLUMN home_fouls smallint,
    ADD COLUMN away_fouls smallint,
    ADD COLUMN home_yellow_cards smallint,
    ADD COLUMN away_yellow_cards smallint,
    ADD COLUMN home_red_cards smallint,
    ADD COLUMN away_red_cards smallint;

CREATE TABLE match_revisions (LIKE matches INCLUDING DEFAULTS);
ALTER TABLE match_revisions
    DROP COLUMN first_seen_at,
    DROP COLUMN updated_at,
    ADD COLUMN seen_at timestamptz NOT NULL,
    ADD CONSTRAINT match_revisions_pkey PRIMARY KEY (season, home_team, away_team, seen_at),
    ADD CONSTRAINT match_revisions_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches;
CREATE INDEX match_revisions_seen_at_idx ON match_revisions (seen_at);

CREATE TABLE match_odds (
    season smallint NOT NULL,
    home_team varchar(255) NOT NULL,
    away_team varchar(255) NOT NULL,
    bookmaker varchar(10) NOT NULL,
    moment varchar(10) NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    home_odds double precision NOT NULL,
    draw_odds double precision NOT NULL,
    away_odds double precision NOT NULL,
    CONSTRAINT match_odds_pkey PRIMARY KEY (season, home_team, away_team, bookmaker, moment, seen_at),
    CONSTRAINT match_odds_moment_is_known CHECK (moment IN ('pre_match', 'closing')),
    CONSTRAINT match_odds_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches
);

CREATE TABLE downloads (
    id serial CONSTRAINT downloads_pkey PRIMARY KEY,
    path varchar(200) NOT NULL,
    url varchar(1000) NOT NULL,
    sha256 varchar(64) NOT NULL,
    content bytea NOT NULL,
    headers jsonb NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX downloads_path_idx ON downloads (path, id);

CREATE TABLE feed_files (
    path varchar(200) CONSTRAINT feed_files_pkey PRIMARY KEY,
    season smallint NOT NULL,
    division varchar(2) NOT NULL DEFAULT 'E0',
    source varchar(50) NOT NULL,
    state varchar(11) NOT NULL,
    rows integer,
    discarded jsonb,
    unknown_columns jsonb,
    claim varchar(50),
    problem text,
    accepted_sha256 varchar(64),
    accepted_by varchar(40),
    since timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT feed_files_state_is_known CHECK (state IN ('accepted', 'refused', 'unreachable', 'absent'))
);

CREATE TABLE fixture_lists (
    as_of timestamptz CONSTRAINT fixture_lists_pkey PRIMARY KEY,
    state varchar(20) NOT NULL,
    reason text NOT NULL,
    fixtures integer NOT NULL,
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fixture_lists_state_is_known
        CHECK (state IN ('ok', 'no_round_published', 'feed_stale', 'feed_broken'))
);
"""

COLUMNS = """season, home_team, away_team, kickoff, kickoff_time_known, home_goals, away_goals, result, home_shots,
    away_shots, home_shots_on_target, away_shots_on_target, home_half_time_goals, away_half_time_goals, home_corners,
    away_corners, home_fouls, away_fouls, home_yellow_cards, away_yellow_cards, home_red_cards, away_red_cards,
    home_odds, draw_odds, away_odds, odds_source,
    max_home_odds, max_draw_odds, max_away_odds, closing_home_odds, closing_draw_odds, closing_away_odds,
    closing_source, source, division"""

REVISIONS = f"""
INSERT INTO match_revisions ({COLUMNS}, seen_at) SELECT {COLUMNS}, updated_at FROM matches;

CREATE FUNCTION matches_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO match_revisions ({COLUMNS}, seen_at) SELECT {COLUMNS}, clock_timestamp() FROM written;
    RETURN NULL;
END $$;

CREATE TRIGGER log_new AFTER INSERT ON matches
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION matches_log();
CREATE TRIGGER log_revised AFTER UPDATE ON matches
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION matches_log();
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLES)
    op.execute(REVISIONS)


def downgrade() -> None:
    """Undo: drops what was downloaded and when it was known, so a person has to do it by hand."""
    raise NotImplementedError("drop the database instead: this would delete every download and the log of revisions")
