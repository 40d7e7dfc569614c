"""Create the tables of paper bets, and the triggers that keep their ledger honest."""

from alembic import op

revision = "0007"
down_revision = "0006"

MATCH_KEY = """
    season smallint NOT NULL,
    home_team varchar(255) NOT NULL,
    away_team varchar(255) NOT NULL,
"""

TABLES = f"""
CREATE TABLE bets (
    id serial CONSTRAINT bets_pkey PRIMARY KEY, {MATCH_KEY}
    kickoff timestamptz NOT NULL,
    outcome varchar(1) NOT NULL,
    forecast_id integer NOT NULL CONSTRAINT bets_model_predictions_fkey REFERENCES model_predictions,
    probability double precision NOT NULL,
    odds double precision NOT NULL,
    prices varchar(10) NOT NULL,
    edge double precision NOT NULL,
    stake numeric(12, 2) NOT NULL,
    bankroll numeric(12, 2) NOT NULL,
    starting_bankroll numeric(12, 2) NOT NULL,
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    model_name varchar(255) NOT NULL DEFAULT 'premier_league_predictor',
    model_version varchar(50) NOT NULL,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    settlement varchar(4),
    profit numeric(12, 2),
    bankroll_after numeric(12, 2),
    settled_at timestamptz,
    timestamp timestamptz DEFAULT now(),
    CONSTRAINT bets_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches,
    CONSTRAINT bets_taken_before_kickoff CHECK (as_of < kickoff),
    CONSTRAINT bets_outcome_is_known CHECK (outcome IN ('H', 'D', 'A')),
    CONSTRAINT bets_prices_are_known CHECK (prices IN ('best', 'consensus')),
    CONSTRAINT bets_odds_return_the_stake CHECK (odds > 1),
    CONSTRAINT bets_value_is_claimed CHECK (edge > 0),
    CONSTRAINT bets_edge_is_that_of_the_odds CHECK (abs(edge - (probability * odds - 1)) < 1e-9),
    CONSTRAINT bets_probability_is_one CHECK (probability BETWEEN 0 AND 1),
    CONSTRAINT bets_something_is_staked CHECK (stake > 0),
    CONSTRAINT bets_began_with_something CHECK (starting_bankroll > 0 AND starting_bankroll <> 'NaN'),
    CONSTRAINT bets_settlement_is_known CHECK (settlement IN ('won', 'lost', 'void')),
    CONSTRAINT bets_settled_or_open CHECK (num_nulls(settlement, profit, bankroll_after, settled_at) IN (0, 4)),
    CONSTRAINT bets_never_in_debt CHECK (bankroll_after >= 0),
    CONSTRAINT bets_settled_after_taken CHECK (settled_at >= as_of)
);
CREATE UNIQUE INDEX bets_one_a_match_idx ON bets (season, home_team, away_team, model_name, replay)
    WHERE settlement IS DISTINCT FROM 'void';
CREATE INDEX bets_as_of_idx ON bets (as_of);

CREATE TABLE betting_scores (
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    slice varchar(50) NOT NULL,
    metric varchar(50) NOT NULL,
    value double precision NOT NULL,
    n integer NOT NULL,
    low double precision,
    high double precision,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT betting_scores_pkey PRIMARY KEY (as_of, replay, slice, metric)
);

CREATE TABLE market_edges ({MATCH_KEY}
    outcome varchar(1) NOT NULL,
    kickoff timestamptz NOT NULL,
    probability double precision NOT NULL,
    market_probability double precision,
    odds double precision,
    prices varchar(10) NOT NULL,
    edge double precision,
    verdict text NOT NULL,
    as_of timestamptz NOT NULL,
    replay boolean NOT NULL,
    model_version varchar(50) NOT NULL,
    code_version varchar(40) NOT NULL,
    dagster_run_id varchar(36),
    timestamp timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT market_edges_pkey PRIMARY KEY (season, home_team, away_team, outcome),
    CONSTRAINT market_edges_matches_fkey FOREIGN KEY (season, home_team, away_team) REFERENCES matches,
    CONSTRAINT market_edges_outcome_is_known CHECK (outcome IN ('H', 'D', 'A')),
    CONSTRAINT market_edges_prices_are_known CHECK (prices IN ('best', 'consensus'))
);
"""

# The functions name their schema: a temporary table `matches` of the session's own would be found before the real one.
# Their intervals are in hours: a day is as long as the session's time zone says.
LEDGER = """
-- A match as the platform knows it at a moment: live as `matches` says now; in a replay as the log says that it was
-- known, or, of a season that the log has nothing of by then, as `matches` says. Prices in the order H, D, A.
CREATE FUNCTION bets_match(of_season smallint, home text, away text, moment timestamptz, in_replay boolean)
RETURNS TABLE (kickoff timestamptz, result text, best double precision[], consensus double precision[])
LANGUAGE sql SET search_path = public, pg_temp AS $$
    (SELECT r.kickoff, r.result, ARRAY[r.max_home_odds, r.max_draw_odds, r.max_away_odds],
        ARRAY[r.home_odds, r.draw_odds, r.away_odds]
    FROM match_revisions r
    WHERE in_replay AND (r.season, r.home_team, r.away_team) = (of_season, home, away) AND r.seen_at <= moment
    ORDER BY r.seen_at DESC LIMIT 1)
    UNION ALL
    SELECT m.kickoff, m.result, ARRAY[m.max_home_odds, m.max_draw_odds, m.max_away_odds],
        ARRAY[m.home_odds, m.draw_odds, m.away_odds]
    FROM matches m
    WHERE (m.season, m.home_team, m.away_team) = (of_season, home, away) AND NOT (in_replay AND EXISTS (
        SELECT FROM match_revisions s WHERE s.season = of_season AND s.division = 'E0' AND s.seen_at <= moment))
$$;

CREATE FUNCTION bets_settled_profit(ledger_name text, ledger_replay boolean) RETURNS numeric
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    -- One writer of a ledger after the other, each of whom sees what the one before it wrote.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'bets refused: % hides what others wrote in the ledger, write as read committed',
            current_setting('transaction_isolation') USING ERRCODE = 'check_violation';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('bets'), hashtext(concat_ws(' ', ledger_name, ledger_replay)));
    RETURN (SELECT coalesce(sum(b.profit), 0) FROM bets b
        WHERE (b.model_name, b.replay) = (ledger_name, ledger_replay));
END $$;
"""

INSERTION = """
CREATE FUNCTION bets_seal() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    match record;
    forecast model_predictions%ROWTYPE;
    of_bet record;
    of_forecast record;
    said double precision;
    settled numeric := bets_settled_profit(NEW.model_name, NEW.replay);
    began numeric;
    at_stake numeric;
BEGIN
    IF EXISTS (SELECT FROM bets b WHERE b.settlement IS DISTINCT FROM 'void'
        AND (b.season, b.home_team, b.away_team, b.model_name, b.replay)
            = (NEW.season, NEW.home_team, NEW.away_team, NEW.model_name, NEW.replay)) THEN
        -- Of a bet that is there already only the unique index speaks: it refuses this one, or lets it be left out.
        RETURN NEW;
    END IF;
    SELECT * INTO match FROM bets_match(NEW.season, NEW.home_team, NEW.away_team, NEW.as_of, NEW.replay);
    SELECT * INTO forecast FROM model_predictions p WHERE p.id = NEW.forecast_id;
    of_bet := (NEW.season, NEW.home_team, NEW.away_team, NEW.kickoff, NEW.as_of, NEW.replay, NEW.model_name,
        NEW.model_version);
    of_forecast := (forecast.season, forecast.home_team, forecast.away_team, forecast.kickoff, forecast.as_of,
        forecast.replay, forecast.model_name, forecast.model_version);
    IF of_bet IS DISTINCT FROM of_forecast THEN
        RAISE EXCEPTION 'bet refused: its match, kick-off, moment, replay, model or version % is not that of forecast '
            '% of %', of_bet, NEW.forecast_id, of_forecast USING ERRCODE = 'check_violation';
    END IF;
    IF forecast.actual_result IS NOT NULL THEN
        RAISE EXCEPTION 'bet refused: forecast % is settled already with %', NEW.forecast_id, forecast.actual_result
            USING ERRCODE = 'check_violation';
    END IF;
    said := (forecast.probabilities->>NEW.outcome)::float8;
    IF NEW.probability IS DISTINCT FROM said THEN
        RAISE EXCEPTION 'bet refused: its probability % of % is not the forecast''s %', NEW.probability, NEW.outcome,
            said USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.kickoff IS DISTINCT FROM match.kickoff THEN
        RAISE EXCEPTION 'bet refused: its kick-off % is not the match''s %', NEW.kickoff, match.kickoff
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT NEW.replay AND (clock_timestamp() >= NEW.kickoff OR match.result IS NOT NULL) THEN
        RAISE EXCEPTION 'bet refused: written at %, after kick-off % or a result (%)', clock_timestamp(),
            NEW.kickoff, coalesce(match.result, 'none') USING ERRCODE = 'check_violation';
    END IF;
    said := (CASE NEW.prices WHEN 'best' THEN match.best WHEN 'consensus' THEN match.consensus END)
        [array_position(ARRAY['H', 'D', 'A'], NEW.outcome::text)];
    IF NEW.odds IS DISTINCT FROM said THEN
        RAISE EXCEPTION 'bet refused: its odds % for % are not the % ones, which are %', NEW.odds, NEW.outcome,
            NEW.prices, coalesce(said::text, 'unknown') USING ERRCODE = 'check_violation';
    END IF;
    SELECT min(b.starting_bankroll), coalesce(sum(b.stake) FILTER (WHERE b.settlement IS NULL), 0)
        INTO began, at_stake FROM bets b WHERE (b.model_name, b.replay) = (NEW.model_name, NEW.replay);
    IF NEW.starting_bankroll <> began THEN
        RAISE EXCEPTION 'bet refused: its ledger began with %, not with %', began, NEW.starting_bankroll
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.bankroll IS DISTINCT FROM NEW.starting_bankroll + settled THEN
        RAISE EXCEPTION 'bet refused: its bankroll % is not the ledger''s: % at the start and % settled since',
            NEW.bankroll, NEW.starting_bankroll, settled USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.stake > 0.05 * NEW.bankroll + 0.005 THEN
        RAISE EXCEPTION 'bet refused: its stake % is over 5 %% of the bankroll %', NEW.stake, NEW.bankroll
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.stake + at_stake > NEW.bankroll THEN
        RAISE EXCEPTION 'bet refused: its stake % and the % of open bets are more than the bankroll %', NEW.stake,
            at_stake, NEW.bankroll USING ERRCODE = 'check_violation';
    END IF;
    IF num_nonnulls(NEW.settlement, NEW.profit, NEW.bankroll_after, NEW.settled_at) > 0 THEN
        RAISE EXCEPTION 'bet refused: it is settled already (settlement %, profit %, bankroll_after %, settled_at %)',
            NEW.settlement, NEW.profit, NEW.bankroll_after, NEW.settled_at USING ERRCODE = 'check_violation';
    END IF;
    NEW.timestamp := clock_timestamp();
    RETURN NEW;
END $$;
"""

SETTLING = """
CREATE FUNCTION bets_settle_only() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    match record;
    filled bets%ROWTYPE := OLD;
    after numeric;
    earned numeric;
    moved boolean;
    given_up boolean;
BEGIN
    filled.settlement := NEW.settlement;
    filled.profit := NEW.profit;
    filled.bankroll_after := NEW.bankroll_after;
    filled.settled_at := NEW.settled_at;
    IF OLD.settlement IS NOT NULL OR NEW IS DISTINCT FROM filled
        OR num_nulls(NEW.settlement, NEW.profit, NEW.bankroll_after, NEW.settled_at) > 0 THEN
        RAISE EXCEPTION 'bet % is sealed (settlement: %): only an empty settlement, profit, bankroll_after and '
            'settled_at can be filled, all at once', OLD.id, coalesce(OLD.settlement, 'none')
            USING ERRCODE = 'check_violation';
    END IF;
    after := OLD.starting_bankroll + bets_settled_profit(OLD.model_name, OLD.replay) + NEW.profit;
    IF NOT OLD.replay AND NEW.settled_at > clock_timestamp() THEN
        RAISE EXCEPTION 'bet % cannot be settled at %, which is to come', OLD.id, NEW.settled_at
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT * INTO match FROM bets_match(OLD.season, OLD.home_team, OLD.away_team, NEW.settled_at, OLD.replay);
    moved := match.kickoff NOT BETWEEN OLD.kickoff - interval '72 hours' AND OLD.kickoff + interval '72 hours';
    given_up := match.result IS NULL AND OLD.kickoff + interval '720 hours' < NEW.settled_at;
    IF NEW.settlement = 'void' AND NOT moved AND NOT given_up THEN
        RAISE EXCEPTION 'bet % cannot be void: its match (kick-off %, result %) was not moved by over 3 days from % '
            'and is not without a result 30 days later', OLD.id, match.kickoff, coalesce(match.result, 'none'),
            OLD.kickoff USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.settlement <> 'void' AND (moved OR match.result IS NULL OR NEW.settled_at <= match.kickoff
        OR NEW.settlement <> CASE WHEN match.result = OLD.outcome THEN 'won' ELSE 'lost' END) THEN
        RAISE EXCEPTION 'bet % on % at % cannot be %: its match has result %, kick-off %', OLD.id, OLD.outcome,
            OLD.kickoff, NEW.settlement, coalesce(match.result, 'none'), match.kickoff
            USING ERRCODE = 'check_violation';
    END IF;
    earned := CASE NEW.settlement
        WHEN 'won' THEN OLD.stake * (OLD.odds::numeric - 1) WHEN 'lost' THEN -OLD.stake ELSE 0 END;
    -- Half a cent for rounding, and what floats lose in it.
    IF abs(NEW.profit - earned) > (CASE NEW.settlement WHEN 'won' THEN 0.005001 ELSE 0 END) THEN
        RAISE EXCEPTION 'bet % was % with a profit of %, not %', OLD.id, NEW.settlement, earned, NEW.profit
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.bankroll_after <> after THEN
        RAISE EXCEPTION 'bet % leaves a bankroll of %, not %', OLD.id, after, NEW.bankroll_after
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION bets_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'bets are append-only: % refused', TG_OP USING ERRCODE = 'check_violation';
END $$;
"""

TRIGGERS = """
CREATE TRIGGER seal BEFORE INSERT ON bets FOR EACH ROW EXECUTE FUNCTION bets_seal();
CREATE TRIGGER settle_only BEFORE UPDATE ON bets FOR EACH ROW EXECUTE FUNCTION bets_settle_only();
CREATE TRIGGER keep_rows BEFORE DELETE ON bets FOR EACH ROW EXECUTE FUNCTION bets_keep();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON bets FOR EACH STATEMENT EXECUTE FUNCTION bets_keep();
-- Also in a session that says it replicates, which would otherwise pass every trigger by.
ALTER TABLE bets ENABLE ALWAYS TRIGGER seal;
ALTER TABLE bets ENABLE ALWAYS TRIGGER settle_only;
ALTER TABLE bets ENABLE ALWAYS TRIGGER keep_rows;
ALTER TABLE bets ENABLE ALWAYS TRIGGER keep_table;
"""


def upgrade() -> None:
    """Apply."""
    for statements in (TABLES, LEDGER, INSERTION, SETTLING, TRIGGERS):
        op.execute(statements)


def downgrade() -> None:
    """Undo: drops every bet ever taken, so a person has to do it by hand."""
    raise NotImplementedError("drop the tables by hand: this would delete every bet")
