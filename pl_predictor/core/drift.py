"""Where drift is computed: does a recent window look like the window that the champion was trained on?

Evidently runs the tests and writes the report for reading. Its defaults flag nearly everything on windows of 50 to 100
matches, so test and threshold are named here: Kolmogorov-Smirnov for numbers, chi-squared for categories, each at
`FAMILY_ERROR_RATE` divided by the number of columns (Bonferroni 1936), which bounds the chance of flagging any column
of two windows that are alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from pl_predictor.core.matches import result_known_from

FAMILY_ERROR_RATE = 0.05
NUMERICAL_TEST = "ks"
CATEGORICAL_TEST = "chisquare"


@dataclass(frozen=True)
class Drift:
    """One comparison of two windows.

    columns: a row a column: column_name, score (p-value), effect_size (difference of the means in the reference's
        standard deviations; NaN for categories), method, threshold, drifted, reference_n, current_n.
    share: drifted columns / compared columns.
    html: Evidently's report, self-contained.
    """

    columns: pd.DataFrame
    share: float
    html: str


def windows(played: pd.DataFrame, *, trained_until: datetime, recent: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(reference, current): the matches a model was trained on, and the `recent` latest, which are in no reference.

    played: matches with a result, in the order of their kick-offs; trained_until: when the last of those that the model
    was trained on became known.
    """
    current = played.tail(recent)
    earlier = played.drop(index=current.index)
    return earlier[result_known_from(earlier["kickoff"]) <= trained_until], current


def comparable(reference: pd.DataFrame, current: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of `columns` that can be tested: present in both windows, and not one constant throughout."""
    return [
        column
        for column in columns
        if reference[column].notna().any()
        and current[column].notna().any()
        and pd.concat([reference[column], current[column]]).nunique() > 1
    ]


def compare(
    reference: pd.DataFrame, current: pd.DataFrame, *, numerical: Sequence[str], categorical: Sequence[str]
) -> Drift:
    """Compare two windows column by column; both need rows, and the columns must be `comparable`."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    columns = [*numerical, *categorical]
    threshold = FAMILY_ERROR_RATE / len(columns)
    definition = DataDefinition(numerical_columns=list(numerical), categorical_columns=list(categorical))
    preset = DataDriftPreset(
        columns=columns,
        num_method=NUMERICAL_TEST,
        num_threshold=threshold,
        cat_method=CATEGORICAL_TEST,
        cat_threshold=threshold,
    )
    snapshot = Report([preset]).run(
        Dataset.from_pandas(current[columns], data_definition=definition),
        Dataset.from_pandas(reference[columns], data_definition=definition),
    )
    scores = {
        metric["config"]["column"]: metric
        for metric in snapshot.dict()["metrics"]
        if "column" in metric.get("config", {})
    }
    rows = pd.DataFrame(
        {
            "column_name": columns,
            "score": [float(scores[column]["value"]) for column in columns],
            "effect_size": [_effect_size(reference[c], current[c]) if c in numerical else np.nan for c in columns],
            "method": [NUMERICAL_TEST if column in numerical else CATEGORICAL_TEST for column in columns],
            "threshold": threshold,
            "reference_n": [int(reference[column].notna().sum()) for column in columns],
            "current_n": [int(current[column].notna().sum()) for column in columns],
        }
    )
    rows.insert(5, "drifted", rows["score"] < threshold)
    return Drift(columns=rows, share=float(rows["drifted"].mean()), html=snapshot.get_html_str(as_iframe=False))


def _effect_size(reference: pd.Series, current: pd.Series) -> float:
    """Glass's delta: the shift of the mean in units of the reference's standard deviation."""
    spread = float(reference.std(ddof=1))
    return float(current.mean() - reference.mean()) / spread if spread > 0 else float("nan")
