"""Metrics have bounded labels, and one page."""

from supportaccess.server.metrics import Metrics


def page(metrics: Metrics) -> list[str]:
    """Return the lines of the page."""
    return metrics.exposition().decode().splitlines()


def test_what_was_counted_is_on_the_page() -> None:
    """Each counter has its line."""
    metrics = Metrics()
    metrics.request("GET", "/v1/me", 200, 0.002)
    metrics.decision("approve", "done")
    metrics.token_refused("expired")
    metrics.limited("address")
    metrics.database(3, 2)
    metrics.swept("done", 5)
    metrics.webhook("siem", "done")
    metrics.webhook_backlog("siem", 7, 90.5)
    metrics.signed("StoreUnavailable")

    assert {
        'supportaccess_requests_total{method="GET",route="/v1/me",status="200"} 1.0',
        'supportaccess_request_seconds_bucket{le="0.0025",method="GET",route="/v1/me"} 1.0',
        'supportaccess_request_seconds_bucket{le="0.001",method="GET",route="/v1/me"} 0.0',
        'supportaccess_decisions_total{outcome="done",verb="approve"} 1.0',
        'supportaccess_tokens_refused_total{reason="expired"} 1.0',
        'supportaccess_limited_total{kind="address"} 1.0',
        "supportaccess_database_running 3.0",
        "supportaccess_database_waiting 2.0",
        "supportaccess_swept_total 5.0",
        'supportaccess_sweeps_total{outcome="done"} 1.0',
        'supportaccess_signings_total{outcome="StoreUnavailable"} 1.0',
        "supportaccess_signing_fails 1.0",
        'supportaccess_webhook_messages_total{outcome="done",webhook="siem"} 1.0',
        'supportaccess_webhook_undelivered{webhook="siem"} 7.0',
        'supportaccess_webhook_oldest_seconds{webhook="siem"} 90.5',
    } <= set(page(metrics))


def test_methods_that_somebody_made_up_are_one() -> None:
    """A client cannot fill the memory with new labels."""
    metrics = Metrics()
    before = len(page(metrics))
    for number in range(1000):
        metrics.request(f"X{number}", "unmatched", 405, 0.001)

    assert len(page(metrics)) - before < 25


def test_two_in_one_process_do_not_mix() -> None:
    """Each has counters of its own."""
    first, second = Metrics(), Metrics()
    first.limited("address")

    assert 'supportaccess_limited_total{kind="address"} 1.0' not in page(second)
