"""Grafana as code: dashboards over the platform's tables and Dagster's, alert rules, and what Grafana is started with.

`make dashboards` writes the JSON and YAML that Grafana reads from the modules here; both are committed. Nothing of the
platform imports this package, and it imports nothing of the platform but names and thresholds (settings.py,
core/freshness.py, core/feed_contract.py).
"""
