"""What can be found out before the server starts: for the start itself, and for `supportaccess serve --check`."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from supportaccess.domain.times import Clock, system_clock
from supportaccess.errors import StoreRefused, StoreUnavailable, SupportAccessError
from supportaccess.http.endpoints import is_loopback
from supportaccess.server.database import keys_of, open_engine
from supportaccess.server.identity.authentication import Authenticator
from supportaccess.server.process import tls
from supportaccess.server.settings import DatabaseSettings, ListenSettings, PermissionsFrom, ServerSettings
from supportaccess.store.sql.checkpoints import refuse_rollback
from supportaccess.store.sql.engine import KNOWN_VERSION
from supportaccess.store.sql.sqlite.engine import SqliteEngine
from supportaccess.store.sql.sqlite.open import open_embedded, schema_version
from supportaccess.tlog.keys import Keys
from supportaccess.tlog.signers import try_out

_DAYS_TO_RENEW = 14
_DAY = "%Y-%m-%d %H:%M +00:00"
_RENEW = "Renew it, then send the server SIGHUP or restart it."


def refuse_unusable(settings: ServerSettings) -> None:
    """Raise StoreRefused or InvalidInput when files or their rights are not as the server needs them."""
    if settings.listen.certificate is not None:
        tls.context(settings.listen)
    for file in (settings.identity.role_table, settings.identity.ca_file):
        if file is not None:
            tls.refuse_unreadable(file)
    Authenticator(settings.identity)
    _look_at_keys(settings.database)


def problems(settings: ServerSettings, clock: Clock = system_clock) -> Iterator[SupportAccessError]:
    """Yield everything that would keep the server from working. Nothing is made or changed."""
    checks: tuple[Callable[[], None], ...] = (
        lambda: refuse_unusable(settings),
        lambda: refuse_out_of_term(settings.listen, clock()),
        lambda: _look_at_database(settings.database),
        lambda: _try_signers(settings.database),
    )
    for check in checks:
        try:
            check()
        except SupportAccessError as error:
            yield error
    if settings.webhooks:
        from supportaccess.server.webhooks import checking

        yield from checking.problems(settings)
    yield from _key_sets(settings)


def refuse_out_of_term(listen: ListenSettings, now: datetime) -> None:
    """Raise StoreRefused for a certificate that has ended, or does not hold yet: no client takes it."""
    term = None if listen.certificate is None else tls.term_of(listen.certificate)
    if term is None:
        return
    if now >= term.ends:
        raise StoreRefused(f"{listen.certificate} ended on {term.ends:{_DAY}}: no client takes it", hint=_RENEW)
    if now < term.begins:
        raise StoreRefused(
            f"{listen.certificate} holds only from {term.begins:{_DAY}} on: no client takes it before",
            hint=f"Is the clock of this machine right? It says {now:{_DAY}}.",
        )


def renewals(listen: ListenSettings, now: datetime) -> Iterator[str]:
    """Yield what has to be renewed soon."""
    term = None if listen.certificate is None else tls.term_of(listen.certificate)
    if term is None or not term.begins <= now < term.ends or (term.ends - now).days >= _DAYS_TO_RENEW:
        return
    yield f"{listen.certificate} ends on {term.ends:{_DAY}}, {_days_left(term, now)}. {_RENEW}"


def description(settings: ServerSettings, clock: Clock = system_clock) -> list[tuple[str, str]]:
    """Return in plain words what the server will do: a title and a sentence each."""
    identity, limits = settings.identity, settings.limits
    allowed = ", ".join(identity.allowed_clients) or "any application"
    return [
        ("Listens", _listens(settings, clock())),
        ("Clients", f"call it {settings.listen.public_url or 'by the address that they find it at'}"),
        ("Proxy", _proxy(settings)),
        ("Store", store_in_words(settings.database)),
        ("Signs", f"the audit logs, {_signs(settings.database)}"),
        ("Processes", _processes(settings)),
        ("Tenants", f"{len(identity.tenants)}: {', '.join(identity.tenants)}"),
        ("Tokens", f"of {identity.authority}, for {identity.client_id}, issued to {allowed}"),
        ("Sign-in", _sign_in(settings)),
        ("Permissions", _permissions(settings)),
        ("Decisions", _decisions(settings)),
        (
            "Limits",
            f"a minute {limits.requests_per_address} requests of an address, {limits.requests_per_caller} of a caller, "
            f"{limits.refused_tokens_per_address} refused tokens of an address",
        ),
        *_webhooks(settings),
        ("Sweep", f"every {settings.sweep_seconds:g} seconds, in one process at a time"),
        ("Stop", f"waits up to {limits.stop_seconds:g} seconds for what is under way"),
    ]


def _webhooks(settings: ServerSettings) -> list[tuple[str, str]]:
    if not settings.webhooks:
        return [("Webhooks", "none: nothing is posted anywhere")]
    from supportaccess.server.webhooks.checking import in_words

    return [("Webhook", in_words(webhook)) for webhook in settings.webhooks]


def store_in_words(settings: DatabaseSettings) -> str:
    """Return what the store is, without a secret."""
    if settings.sqlite is not None:
        return f"SQLite {settings.sqlite}"
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(settings.postgresql or "")
    shown = (f"{name}={parts[name]}" for name in ("host", "hostaddr", "port", "dbname", "user") if parts.get(name))
    return " ".join(["PostgreSQL", *shown])


def _signs(settings: DatabaseSettings) -> str:
    here = f"with the key in {settings.signing_keys}"
    if not settings.signing_command:
        return here
    program = settings.signing_command[0]
    keys = keys_of(settings)
    with suppress(SupportAccessError):  # told as a problem
        if keys is not None and keys.exists and not keys.is_kept_elsewhere:
            return f"{here}; {program} signs from the next store key rotate --public-key on"
    return f"by {program}, with the key whose public half is in {settings.signing_keys}"


def _listens(settings: ServerSettings, now: datetime) -> str:
    listen = settings.listen
    address = f"[{listen.address}]" if ":" in listen.address else listen.address
    where = f"{'http' if listen.certificate is None else 'https'}://{address}:{listen.port}"
    if listen.certificate is None:
        loopback = is_loopback(listen.address)
        return f"{where}, without TLS" + (
            ": for this machine alone" if loopback else ", which a proxy in front must do"
        )
    where = f"{where}, TLS 1.2 or newer, with {listen.certificate}"
    term = tls.term_of(listen.certificate)
    if term is None or not term.begins <= now < term.ends:  # told as a problem
        return where
    return f"{where}, which ends {_days_left(term, now)}"


def _days_left(term: tls.Term, now: datetime) -> str:
    days = (term.ends - now).days
    return "within a day" if days < 1 else "in 1 day" if days == 1 else f"in {days} days"


def _proxy(settings: ServerSettings) -> str:
    listen = settings.listen
    if not listen.behind_proxy:
        return "none: X-Forwarded-For and X-Forwarded-Proto are not believed"
    if not listen.trusted_proxies:
        return "in front, but none is trusted: all requests count as those of its address (trusted_proxies)"
    return f"X-Forwarded-For and X-Forwarded-Proto are believed from {', '.join(listen.trusted_proxies)}"


def _processes(settings: ServerSettings) -> str:
    workers, pool = settings.listen.workers, settings.database.pool
    if settings.database.sqlite is not None:
        return "one, with one thread that reads and one that writes"
    return (
        f"{workers}, each with up to {pool} connections to the database, one for verifications and one for signing: "
        f"{workers * (pool + 2)} in all"
    )


def _sign_in(settings: ServerSettings) -> str:
    identity = settings.identity
    own = identity.public_client_id is None
    why = " (its own, for want of identity.public_client_id)" if own else ""
    return f"as {identity.public_client_id or identity.client_id}{why}, for api://{identity.client_id}/{identity.scope}"


def _permissions(settings: ServerSettings) -> str:
    if settings.identity.permissions_from is PermissionsFrom.APP_ROLES:
        return "from the app roles of the registration (claim roles)"
    table = settings.identity.role_table
    return f"from directory roles (claim wids), by {table or 'the role table that comes with the program'}"


def _decisions(settings: ServerSettings) -> str:
    context, alone = settings.identity.decision_auth_context, ", ".join(settings.identity.app_only_may_decide)
    met = f" whose sign-in met the authentication context {context}" if context else ""
    return f"by people{met}, and by these applications alone: {alone}" if alone else f"by people{met} only"


def _look_at_database(settings: DatabaseSettings) -> None:
    if settings.sqlite is None:
        open_engine(settings).close()
    elif settings.sqlite.exists():
        _look_at_file(settings.sqlite, keys_of(settings))
    elif not os.access(_nearest(settings.sqlite.parent), os.W_OK | os.X_OK):
        raise StoreRefused(f"{settings.sqlite} is not there yet and cannot be made: no right to write in its folder")


def _look_at_keys(settings: DatabaseSettings) -> None:
    keys = keys_of(settings)
    if keys is None:
        return
    if keys.exists or settings.signing_command:
        keys.signers()
    for program in settings.signing_command[:1]:
        if not os.access(program, os.X_OK):
            raise StoreRefused(
                f"{program} is not a program that this account can run", hint="See database.signing_command."
            )
    if not os.access(_nearest(keys.folder), os.W_OK | os.X_OK):
        raise StoreRefused(
            f"{keys.folder} cannot be made or written: the last signed checkpoints are kept there",
            hint="Set database.signing_keys to a folder of the account that the server runs as.",
        )


def _try_signers(settings: DatabaseSettings) -> None:
    keys = keys_of(settings)
    if keys is not None and keys.exists:
        for signer in keys.signers():
            try_out(signer)


def _look_at_file(path: Path, keys: Keys | None) -> None:
    engine = SqliteEngine(path)
    try:
        version = schema_version(engine)
        if version == KNOWN_VERSION and keys is not None:
            refuse_rollback(engine, keys)
    finally:
        engine.close()
    if version > KNOWN_VERSION or version == 0:
        open_embedded(path).close()  # changes nothing of such a file, and says what is wrong


def _nearest(folder: Path) -> Path:
    return folder if folder.exists() or folder == folder.parent else _nearest(folder.parent)


def _key_sets(settings: ServerSettings) -> Iterator[SupportAccessError]:
    try:
        answers = Authenticator(settings.identity).ready()
    except SupportAccessError as error:
        yield error
        return
    for tenant, trouble in answers.items():
        if trouble:
            yield StoreUnavailable(
                f"the keys of tenant {tenant} cannot be had: {trouble}",
                hint=_why_no_keys(trouble),
            )


def _why_no_keys(trouble: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in trouble:
        return "Where the authority's certificate is of your organisation's own: identity.ca_file."
    return "Is the tenant ID right, and can this machine reach the authority?"
