"""`metadata`, and the columns that several tables have: one wording, type and name for what means the same.

Not here: tables. Each function makes a new column, since a column belongs to one table.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, DateTime, Float, MetaData, SmallInteger, String, func

from pl_predictor.core.matches import KEY, MATCH_COLUMNS
from pl_predictor.settings import MODEL_NAME

metadata = MetaData(
    naming_convention={
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(referred_table_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def moment(
    name: str, comment: str, *, nullable: bool = False, primary_key: bool = False, default_now: bool = False
) -> "Column[datetime]":
    """A moment in UTC. default_now: the database writes its own clock where nobody says another."""
    return Column(
        name,
        DateTime(timezone=True),
        primary_key=primary_key,
        nullable=nullable,
        server_default=func.now() if default_now else None,
        comment=comment,
    )


def model_name(**more: Any) -> "Column[str]":
    """Whose row it is, of the registered models."""
    return Column(
        "model_name", String(255), server_default=MODEL_NAME, comment="The registered model in MLflow", **more
    )


def model_version(**more: Any) -> "Column[str]":
    """Which version of that model."""
    return Column("model_version", String(50), nullable=False, comment="Its version in MLflow", **more)


def code_version() -> "Column[str]":
    """Which code computed the row."""
    return Column("code_version", String(40), nullable=False, comment="Digest of the code that computed the row")


def described(name: str, kind: Any, **more: Any) -> "Column[Any]":
    """A column of `matches`, which means what the match frame's column of that name does."""
    return Column(name, kind, comment=MATCH_COLUMNS[name].description, **more)


def match_key(primary_key: bool) -> list["Column[Any]"]:
    """The columns of KEY: which match the row is about."""
    kinds = (SmallInteger, String(255), String(255))
    return [
        described(name, kind, primary_key=primary_key, nullable=False) for name, kind in zip(KEY, kinds, strict=True)
    ]


def run_id() -> "Column[str]":
    """Which run wrote the row; null outside one."""
    return Column("dagster_run_id", String(36), comment="The run that wrote the row")


def probabilities(of: str, comment: str, *, nullable: bool) -> list["Column[Any]"]:
    """Three columns, `of`_home, `of`_draw, `of`_away; {} in the comment stands for the outcome."""
    outcomes = {"home": "a home win", "draw": "a draw", "away": "an away win"}
    return [
        Column(f"{of}_{name}", Float, nullable=nullable, comment=comment.format(outcome))
        for name, outcome in outcomes.items()
    ]
