"""How an asset shows itself in the Dagster UI: who owns it, its columns, its first rows."""

from typing import Any, Final

import dagster as dg
import pandas as pd
from sqlalchemy import Table

OWNERS: Final = ["team:forecasting"]
PREVIEW_ROWS: Final = 10


def column_schema(table: Table) -> dict[str, Any]:
    """Definition metadata: the table's name, columns, types and meanings."""
    columns = [
        dg.TableColumn(
            column.name,
            type=str(column.type).lower(),
            description=column.comment,
            constraints=dg.TableColumnConstraints(nullable=bool(column.nullable), unique=False),
        )
        for column in table.columns
    ]
    return {
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/table_name": table.name,
    }


def rows(frame: pd.DataFrame, preview: pd.DataFrame | None = None) -> dict[str, Any]:
    """Materialization metadata: the number of rows, and the first of them (of `preview`, if it reads better)."""
    shown = (frame if preview is None else preview).head(PREVIEW_ROWS)
    return {"dagster/row_count": len(frame), "preview": dg.MetadataValue.md(table(shown))}


def table(frame: pd.DataFrame) -> str:
    """A frame as a table in markdown."""
    return str(frame.to_markdown(index=False, floatfmt=".3f"))
