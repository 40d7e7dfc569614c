"""A port that cannot be listened on is an error that says who has it and what to set."""

import os
import socket

import pytest

from pl_predictor.core.errors import PredictorError
from pl_predictor.services.ports import require_free_port


def test_a_port_in_use_is_an_error_that_names_port_variable_and_program() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            PredictorError, match=rf"port {port} .* taken by .*\(process {os.getpid()}: .*set PL_DAGSTER_PORT"
        ):
            require_free_port(port, "PL_DAGSTER_PORT")


def test_an_address_that_this_machine_does_not_have_is_an_error() -> None:
    with pytest.raises(PredictorError, match=r"port 3000 on 192\.0\.2\.1 cannot be used"):
        require_free_port(3000, "PL_DAGSTER_PORT", "192.0.2.1")
