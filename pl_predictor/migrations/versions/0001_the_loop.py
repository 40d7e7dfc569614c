"""Create the tables of the loop, and the triggers that keep the forecasts honest."""

from alembic import op

revision = "0001"
down_revision = None

MATCH_KEY = """
    season smallint NOT NULL,
    home_team varchar(255) NOT NULL,
    away_team varchar(255) NOT NULL,
"""

TABLES = f"""
CREATE TABLE matches ({MATCH_KEY}
    kickoff timestamptz NOT NULL,
    kickoff_time_known boolean NOT NULL,
    home_goals smallint,
    away_goals smallint,
    result varchar(1),
    home_shots smallint,
    away_shots smallint,
    home_shots_on_target smallint,
    away_shots_on_target smallint,
    home_odds double precision,
    draw_odds double precision,
    away_odds double precision,
    odds_source varchar(10),
    max_home_odds double precision,
    max_draw_odds double precision,
    max_away_odds double precision,
    closing_home_odds double precision,
    closing_draw_odds double precision,
    closing_away_odds double precision,
    closing_source varchar(10),
    source varchar(50) NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT matches_pkey PRIMARY KEY (season, home_team, away_team),
    CONSTRAINT matches_teams_differ CHECK (home_team <> away_team),
    CONSTRAINT matches_result_is_an_outcome CHECK (result IN ('H', 'D', 'A'))
);
CREATE INDEX matches_kickoff_idx ON matches (kickoff);

CREATE TABLE match_features ({MATCH_KEY}
    kickoff timestamptz NOT NULL,
    result varchar(1),
    features jsonb NOT NULL,
    market_home double precision,
    market_draw double precision,
    market_away double precision,
    as_of timestamptz NOT NULL,
    code_version varchar(40) NOT NULL,
    CONSTRAINT match_features_pkey PRIMARY KEY (season, home_team, away_team),
    CONSTRAINT match_features_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches
);

CREATE TABLE model_metrics (
    id serial CONSTRAINT model_metrics_pkey PRIMARY KEY,
    metric_type varchar(50) NOT NULL,
    value double precision NOT NULL,
    model_name varchar(255) DEFAULT 'premier_league_predictor',
    timestamp timestamptz DEFAULT now(),
    metadata jsonb,
    as_of timestamptz NOT NULL,
    model_version varchar(50) NOT NULL,
    CONSTRAINT model_metrics_metric_type_model_name_model_version_as_of_key
        UNIQUE (metric_type, model_name, model_version, as_of)
);
CREATE INDEX model_metrics_as_of_idx ON model_metrics (as_of);

CREATE TABLE model_predictions (
    id serial CONSTRAINT model_predictions_pkey PRIMARY KEY, {MATCH_KEY}
    kickoff timestamptz NOT NULL,
    prediction varchar(10) NOT NULL,
    confidence double precision NOT NULL,
    probabilities jsonb NOT NULL,
    home_odds double precision,
    away_odds double precision,
    draw_odds double precision,
    odds_source varchar(10),
    information varchar(10) NOT NULL,
    actual_result varchar(10),
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    model_name varchar(255) NOT NULL DEFAULT 'premier_league_predictor',
    model_version varchar(50) NOT NULL,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz DEFAULT now(),
    CONSTRAINT model_predictions_one_per_moment_key
        UNIQUE (season, home_team, away_team, model_name, model_version, code_version, as_of),
    CONSTRAINT model_predictions_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches,
    CONSTRAINT model_predictions_made_before_kickoff CHECK (as_of < kickoff),
    CONSTRAINT model_predictions_prediction_is_an_outcome CHECK (prediction IN ('H', 'D', 'A')),
    CONSTRAINT model_predictions_actual_result_is_an_outcome CHECK (actual_result IN ('H', 'D', 'A')),
    CONSTRAINT model_predictions_confidence_is_a_probability CHECK (confidence BETWEEN 0 AND 1),
    CONSTRAINT model_predictions_information_is_known CHECK (information IN ('odds', 'no_odds'))
);
CREATE INDEX model_predictions_as_of_idx ON model_predictions (as_of);
CREATE INDEX model_predictions_kickoff_idx ON model_predictions (kickoff);

CREATE TABLE drift_scores (
    model_name varchar(255) NOT NULL DEFAULT 'premier_league_predictor',
    model_version varchar(50) NOT NULL,
    as_of timestamptz NOT NULL,
    column_name varchar(63) NOT NULL,
    score double precision NOT NULL,
    effect_size double precision,
    method varchar(100) NOT NULL,
    threshold double precision NOT NULL,
    drifted boolean NOT NULL,
    reference_n integer NOT NULL,
    current_n integer NOT NULL,
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT drift_scores_pkey PRIMARY KEY (model_name, model_version, as_of, column_name)
);
"""

GUARDS = """
CREATE FUNCTION model_predictions_seal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    match matches%ROWTYPE;
    total double precision;
BEGIN
    SELECT * INTO match FROM matches m
        WHERE (m.season, m.home_team, m.away_team) = (NEW.season, NEW.home_team, NEW.away_team);
    IF NEW.kickoff IS DISTINCT FROM match.kickoff THEN
        RAISE EXCEPTION 'forecast refused: its kick-off % is not the match''s %', NEW.kickoff, match.kickoff
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT NEW.replay AND (clock_timestamp() >= NEW.kickoff OR match.result IS NOT NULL
        OR NEW.as_of NOT BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp()) THEN
        RAISE EXCEPTION 'forecast refused: as of %, written at %, after kick-off %, a result, or for another day',
            NEW.as_of, clock_timestamp(), NEW.kickoff USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.actual_result IS NOT NULL THEN
        RAISE EXCEPTION 'forecast refused: it carries a result already' USING ERRCODE = 'check_violation';
    END IF;
    total := (NEW.probabilities->>'H')::float8 + (NEW.probabilities->>'D')::float8 + (NEW.probabilities->>'A')::float8;
    IF total IS NULL OR abs(total - 1) > 1e-6
        OR least((NEW.probabilities->>'H')::float8, (NEW.probabilities->>'D')::float8,
                 (NEW.probabilities->>'A')::float8) < 0
        OR abs(NEW.confidence - (NEW.probabilities->>NEW.prediction)::float8) > 1e-9 THEN
        RAISE EXCEPTION 'forecast refused: % are not probabilities of H, D and A with confidence % in %',
            NEW.probabilities, NEW.confidence, NEW.prediction USING ERRCODE = 'check_violation';
    END IF;
    NEW.timestamp := clock_timestamp();
    RETURN NEW;
END $$;

CREATE FUNCTION model_predictions_settle_only() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    settled model_predictions%ROWTYPE := OLD;
BEGIN
    -- Rows are compared as rows: as text, floats would be compared with as many digits as the session asks for.
    settled.actual_result := NEW.actual_result;
    IF OLD.actual_result IS NOT NULL OR NEW IS DISTINCT FROM settled THEN
        RAISE EXCEPTION 'forecast % is sealed: only an empty actual_result can be filled', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.actual_result IS DISTINCT FROM (SELECT m.result FROM matches m
        WHERE (m.season, m.home_team, m.away_team) = (NEW.season, NEW.home_team, NEW.away_team)) THEN
        RAISE EXCEPTION 'forecast % can only be settled with the result of its match', OLD.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION model_predictions_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'forecasts are append-only: % refused', TG_OP USING ERRCODE = 'check_violation';
END $$;

CREATE TRIGGER seal BEFORE INSERT ON model_predictions
    FOR EACH ROW EXECUTE FUNCTION model_predictions_seal();
CREATE TRIGGER settle_only BEFORE UPDATE ON model_predictions
    FOR EACH ROW EXECUTE FUNCTION model_predictions_settle_only();
CREATE TRIGGER keep_rows BEFORE DELETE ON model_predictions
    FOR EACH ROW EXECUTE FUNCTION model_predictions_keep();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON model_predictions
    FOR EACH STATEMENT EXECUTE FUNCTION model_predictions_keep();
-- Also in a session that says it replicates, which would otherwise pass every trigger by.
ALTER TABLE model_predictions ENABLE ALWAYS TRIGGER seal;
ALTER TABLE model_predictions ENABLE ALWAYS TRIGGER settle_only;
ALTER TABLE model_predictions ENABLE ALWAYS TRIGGER keep_rows;
ALTER TABLE model_predictions ENABLE ALWAYS TRIGGER keep_table;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(TABLES)
    op.execute(GUARDS)


def downgrade() -> None:
    """Undo: drops every forecast ever made, so a person has to do it by hand."""
    raise NotImplementedError("drop the database instead: this would delete every forecast")
