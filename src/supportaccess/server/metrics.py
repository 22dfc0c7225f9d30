"""What Prometheus may ask: how many requests, how fast, decided how, and how full the database's threads are.

The values of a label come from closed lists (routes, methods, error codes, reasons), never from a request.
With several worker processes `PROMETHEUS_MULTIPROC_DIR` is set before this module is imported: whichever process is
asked answers for all of them.
"""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody reads


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "supportaccess_requests", "Requests answered.", ["method", "route", "status"], registry=own
        )
        self._seconds = Histogram(
            "supportaccess_request_seconds", "Time to answer.", ["method", "route"], buckets=_SECONDS, registry=own
        )
        self._decisions = Counter(
            "supportaccess_decisions", "Decisions, by what became of them.", ["verb", "outcome"], registry=own
        )
        self._tokens = Counter("supportaccess_tokens_refused", "Tokens refused.", ["reason"], registry=own)
        self._limited = Counter("supportaccess_limited", "Requests answered with 429.", ["kind"], registry=own)
        self._running = _gauge("supportaccess_database_running", "Database threads at work.", own)
        self._waiting = _gauge("supportaccess_database_waiting", "Requests that wait for a database thread.", own)
        self._swept = Counter("supportaccess_swept", "Requests whose limit or deadline was written down.", registry=own)
        self._sweeps = Counter("supportaccess_sweeps", "Sweeps, by what became of them.", ["outcome"], registry=own)
        self._signings = Counter(
            "supportaccess_signings",
            "Rounds of signing the audit logs, by what became of them.",
            ["outcome"],
            registry=own,
        )
        self._signing_fails = _gauge("supportaccess_signing_fails", "Processes that fail to sign the audit logs.", own)
        self._not_recorded = Counter(
            "supportaccess_not_recorded",
            "Refusals, and readings of an audit log, that the log could not take.",
            ["activity"],
            registry=own,
        )
        self._webhooks = Counter(
            "supportaccess_webhook_messages",
            "Messages to webhooks, by what became of them.",
            ["webhook", "outcome"],
            registry=own,
        )

        self._undelivered = _latest("supportaccess_webhook_undelivered", "Log entries still to be gone through.", own)
        self._oldest = _latest("supportaccess_webhook_oldest_seconds", "Age of the oldest of them.", own)

    def webhook_backlog(self, name: str, entries: int, seconds: float) -> None:
        """Take down how many log entries of all tenants a webhook has still to go through, and the oldest one's age."""
        self._undelivered.labels(name).set(entries)
        self._oldest.labels(name).set(seconds)

    def webhook(self, name: str, outcome: str) -> None:
        """Count a message to a webhook: `done`, `failed`, `tooOld`; `disabled` is a webhook that gets no more."""
        self._webhooks.labels(name, outcome).inc()

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer. The route is its template (`/v1/access-requests/{id}`), or `unmatched`."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def decision(self, verb: str, outcome: str) -> None:
        """Count a decision: `approve` and so on, `done` or the code of the error."""
        self._decisions.labels(verb, outcome).inc()

    def token_refused(self, reason: str) -> None:
        """Count a token that was refused: one of the reasons of TokenRefused."""
        self._tokens.labels(reason).inc()

    def limited(self, kind: str) -> None:
        """Count an answer of 429, by the limit that was reached."""
        self._limited.labels(kind).inc()

    def database(self, running: int, waiting: int) -> None:
        """Take down how many database threads are at work, and how many acts wait for one."""
        self._running.set(running)
        self._waiting.set(waiting)

    def swept(self, outcome: str, requests: int = 0) -> None:
        """Count a sweep: `done`, or the code of the error."""
        self._sweeps.labels(outcome).inc()
        self._swept.inc(requests)

    def signed(self, outcome: str) -> None:
        """Count a round of signing: `done`, or the code of the error."""
        self._signings.labels(outcome).inc()
        self._signing_fails.set(outcome != "done")

    def not_recorded(self, activity: str) -> None:
        """Count what should have been an entry of an audit log and could not be: `Access denied` and so on."""
        self._not_recorded.labels(activity).inc()

    def exposition(self) -> bytes:
        """Return what all worker processes counted, in Prometheus' text format (CONTENT_TYPE)."""
        if folder := os.environ.get(FOLDER_VARIABLE):
            together = CollectorRegistry()
            MultiProcessCollector(together, path=folder)  # type: ignore[no-untyped-call]  # has no annotations
            return generate_latest(together)
        return generate_latest(self._registry)


def _gauge(name: str, what: str, registry: CollectorRegistry) -> Gauge:
    # Of several processes the sum, and of those alone that live.
    return Gauge(name, what, multiprocess_mode="livesum", registry=registry)


def _latest(name: str, what: str, registry: CollectorRegistry) -> Gauge:
    # Every process reads the same in the database: what was read last is right.
    return Gauge(name, what, ["webhook"], multiprocess_mode="livemostrecent", registry=registry)
