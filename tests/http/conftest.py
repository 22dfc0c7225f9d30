"""Servers on loopback, and an environment without proxies and certificates of its own."""

from tests.store.http.conftest import certificate, environment, server, tls_server

__all__ = ["certificate", "environment", "server", "tls_server"]
