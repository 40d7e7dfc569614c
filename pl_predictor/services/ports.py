"""Ports of this machine: whether one can be listened on, and who has it."""

import errno
import socket

import psutil

from pl_predictor.core.errors import PredictorError


def require_free_port(port: int, variable: str, host: str = "127.0.0.1") -> None:
    """PredictorError, naming who listens and the `variable` to set, if host:port cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PredictorError(
                f"port {port} on {host} is taken by {_listener(port)}: end that program, or set {variable} to a free "
                "port"
            ) from error
        raise PredictorError(
            f"port {port} on {host} cannot be used ({error.strerror}): set {variable} to another port, or the host to "
            "an address of this machine"
        ) from error


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {process.pid}: {' '.join(process.cmdline())[:120]})"
    except psutil.Error:
        pass  # macOS tells root only, and a process may be gone by now: the port is named anyway
    return "another process"
