"""A web server that has the site's files, and a live source that follows it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from pl_predictor_tests.sources.live import FILES, Feed
from pl_predictor_tests.sources.site import Site, serving


@pytest.fixture
def site() -> Iterator[Site]:
    with serving(dict(FILES)) as site:
        yield site


@pytest.fixture
def feed(engine: Engine, site: Site) -> Feed:
    return Feed(engine, site.url)
