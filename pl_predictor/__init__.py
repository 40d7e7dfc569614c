"""pl_predictor: Premier League forecasts that keep themselves honest.

The loop, each step an asset, each row in PostgreSQL:

    matches, fixtures -> features -> trained_model -> champion (MLflow alias) -> predictions
    -> the match is played -> settled -> performance_metrics, drift_report -> checks

`definitions.py` wires it for Dagster; `core` computes and knows neither Dagster nor a clock; `sources` say what was
known about matches at a moment, `intake` stores it; `resources` talk to PostgreSQL and MLflow; `services` start and
stop the processes on this machine; `cli.py` is the `pl-predictor` command.
"""
