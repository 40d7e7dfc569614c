"""Which code computed a row: a digest of the modules, so that nobody has to remember to raise a number."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from pl_predictor.settings import MODEL_NAME

PACKAGE = Path(__file__).parent
FEATURE_MODULES = ("core/features.py", "core/market.py", "core/matches.py", "core/ratings.py")


@lru_cache(maxsize=1)
def code_version() -> str:
    """12 hexadecimal digits that change whenever a module of `core` or `sources`, or a packaged match, does."""
    return _digest(
        sorted(path for name in ("core/*.py", "sources/*.py", "snapshot/**/*.csv") for path in PACKAGE.glob(name))
    )


@lru_cache(maxsize=1)
def feature_version() -> str:
    """The same of the modules that decide what a feature is: a model reads no others than those it was trained on."""
    return _digest([PACKAGE / name for name in FEATURE_MODULES])


def forecaster_name() -> str:
    """What made a forecast that no registered model made: the model's name and the code that fitted it."""
    return f"{MODEL_NAME}-{code_version()}"


def _digest(files: list[Path]) -> str:
    digest = sha256()
    for file in files:
        digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
