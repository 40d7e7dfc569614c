"""Settings come from the environment by their documented names, and a wrong one says which and why."""

from pathlib import Path

import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.settings import PROJECT, Settings, get_settings, parse_as_of


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    get_settings.cache_clear()


def test_without_configuration_the_platform_runs_its_own_database_on_this_machine_only() -> None:
    settings = get_settings()
    assert settings.embedded
    assert settings.home == PROJECT / ".pl_predictor"
    assert settings.bind == "127.0.0.1"
    assert settings.source == "snapshot"


def test_a_variable_that_happens_to_have_a_fields_name_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere/else")
    monkeypatch.setenv("SOURCE", "elsewhere")
    assert get_settings().home == PROJECT / ".pl_predictor"
    assert get_settings().source == "snapshot"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PL_DAGSTER_PORT", "0"),
        ("PL_DAGSTER_PORT", "65536"),
        ("PL_MLFLOW_PORT", "http"),
        ("PL_MIN_ACCURACY", "55"),
        ("PL_MAX_DRIFT_SHARE", "-0.1"),
        ("PL_FORECAST_DAYS", "0"),
        ("POSTGRES_PORT", "5432x"),
        ("PL_BET_PRICES", "worst"),
        ("PL_STAKING", "Kelly"),
        ("PL_BANKROLL", "inf"),
        ("PL_BANKROLL", "1000.005"),
        ("PL_MAX_STAKE", "0.06"),
        ("PL_MIN_EDGE", "0"),
    ],
)
def test_an_unusable_value_is_an_error_that_names_variable_and_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(PredictorError, match=f"{variable}='{value}' is not usable: .*README.md"):
        get_settings()


@pytest.mark.parametrize(
    ("variable", "window", "sample"),
    [
        ("PL_PERFORMANCE_WINDOW", "99", "100"),
        ("PL_SKILL_WINDOW", "49", None),
        ("PL_SKILL_WINDOW", None, "81"),
        ("PL_DRIFT_WINDOW", "1", "2"),
    ],
    ids=["performance", "skill, a smaller window", "skill, a larger sample", "drift"],
)
def test_a_window_that_could_never_judge_is_an_error_that_names_both_variables_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, variable: str, window: str | None, sample: str | None
) -> None:
    for name, value in ((variable, window), ("PL_MIN_SAMPLE", sample)):
        if value is not None:
            monkeypatch.setenv(name, value)
    has, needs = window or "80", sample or "50"
    says = (
        f"^{variable}={has} is less than PL_MIN_SAMPLE={needs}, so that its checks could never judge: "
        f"set {variable} to {needs} or more, or PL_MIN_SAMPLE to {has} or less$"
    )
    with pytest.raises(PredictorError, match=says):
        get_settings()


def test_a_window_of_just_the_sample_can_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PL_PERFORMANCE_WINDOW", "PL_SKILL_WINDOW", "PL_DRIFT_WINDOW", "PL_MIN_SAMPLE"):
        monkeypatch.setenv(name, "60")
    assert get_settings().min_sample == get_settings().skill_window == 60


def test_a_password_is_never_shown() -> None:
    settings = Settings(POSTGRES_PASSWORD="correct horse")
    assert "correct" not in repr(settings)


def test_user_and_password_with_special_characters_survive_the_address() -> None:
    from sqlalchemy import make_url

    settings = Settings(POSTGRES_HOST="db", POSTGRES_USER="a@b", POSTGRES_PASSWORD="p/w:%@ ")
    url = make_url(settings.database_url("pl_predictor"))
    assert (url.host, url.username, url.password, url.database) == ("db", "a@b", "p/w:%@ ", "pl_predictor")


def test_every_setting_is_described_in_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text()
    missing = [
        variable
        for variable, default, description in (
            (str(field.validation_alias), field.default, field.description) for field in Settings.model_fields.values()
        )
        if f"| `{variable}` |" not in readme or str(description) not in readme
        or (isinstance(default, int | float | str) and f"| `{default}` |" not in readme)
    ]  # fmt: skip
    assert missing == []


def test_the_home_may_be_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PL_HOME", str(tmp_path / "a folder"))
    assert get_settings().home == tmp_path / "a folder"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-12-29", "2023-12-29T00:00:00+00:00"),
        ("2023-12-29T20:00", "2023-12-29T20:00:00+00:00"),
        ("2023-12-29 20:00:30", "2023-12-29T20:00:30+00:00"),
        ("2023-12-29T20:00Z", "2023-12-29T20:00:00+00:00"),
        ("2023-12-29T21:00+01:00", "2023-12-29T20:00:00+00:00"),
        (" 2023-12-29 ", "2023-12-29T00:00:00+00:00"),
    ],
)
def test_a_moment_is_utc_unless_it_says_otherwise(text: str, expected: str) -> None:
    assert parse_as_of(text).isoformat() == expected


@pytest.mark.parametrize("text", ["", "yesterday", "29.12.2023", "2023-13-01", "2023-02-30", "12/29/2023"])
def test_a_moment_that_is_no_date_is_an_error_that_shows_how_to_write_one(text: str) -> None:
    with pytest.raises(PredictorError, match=r"--as-of=.* is not a date: write 2023-12-29"):
        parse_as_of(text, "--as-of")
