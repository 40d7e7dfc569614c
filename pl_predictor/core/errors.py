"""The errors a person is meant to read: one sentence that names the thing and the remedy, shown without a traceback.

Anything else that is raised is a bug, and keeps its traceback.
"""


class PredictorError(Exception):
    """Something outside the code is wrong; the message names it and says what to do."""


class FeedError(PredictorError):
    """A file of matches breaks its contract; the message names file, line, value and remedy.

    `claim` is what it breaks: a name in `core.feed_contract.CLAIMS`.
    """

    def __init__(self, message: str, claim: str = "rows_are_readable") -> None:
        super().__init__(message)
        self.claim = claim
