"""Settings → Runtime: the only place where objects are wired together."""

import hashlib
import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlsplit

import sqlalchemy as sa

from orchestrator import bounce_hooks
from orchestrator.clients.clio.auth import REGIONS, App, ClioLogin, OwnAccount, ReadyToken, credentials
from orchestrator.clients.clio.client import HEADERS, OPTIONAL, REDIRECTS, Clio
from orchestrator.clients.clio.people import ClioPeople
from orchestrator.clients.clio.webhooks import SUBSCRIPTIONS
from orchestrator.clients.http import ApiClient, Credentials, knock
from orchestrator.clients.lawpay.client import LawPay, SecretKey
from orchestrator.clients.pacing import LocalPacer
from orchestrator.clocks import DatabaseClock, MovedClock, wall_clock
from orchestrator.delivery.imap import ImapReturns
from orchestrator.delivery.letters import TemplateLetters
from orchestrator.delivery.smtp import SmtpMailer
from orchestrator.domain.accounts import Connection
from orchestrator.domain.front_door import DOOR_HEADER, DOOR_PATH, DoorAnswer, Trouble
from orchestrator.domain.letters import Brand, BrandRule, Headers
from orchestrator.domain.topics import Urgency
from orchestrator.engine.points import Passing, kill_at, unharmed
from orchestrator.engine.runtime import Runtime
from orchestrator.ports import Clock, Mailer, Pacer, PracticeManagement, Token, TokenVault
from orchestrator.rehearsal import ImaginedMailer, ImaginedPractice, Rehearsal
from orchestrator.sequences import load as load_sequence
from orchestrator.settings import LOOPBACK, MAIN, Misconfigured, Settings
from orchestrator.storage.lineage import Mark
from orchestrator.storage.marks import FileMark, HeadFile
from orchestrator.storage.unit_of_work import UnitOfWork, connect
from orchestrator.storage.vault import Cipher, DatabaseMemory, DatabaseVault
from orchestrator.telemetry import redaction

DOOR_SECONDS = 5.0


class OnCall(Protocol):
    def __call__(self, method: str, path: str, status: int | None, /) -> None: ...


def build(
    settings: Settings, firm: str = MAIN, *, clock: Clock | None = None, passing: Passing | None = None,
    on_call: OnCall | None = None, on_commit: Callable[[], None] | None = None, connections: int = 8,
) -> Runtime:  # fmt: skip
    """One firm's runtime, or `Misconfigured` with a sentence that names what is missing.

    It keeps up to `connections` to the database open while idle; under load it may have sixteen.
    """
    redaction.hide(settings.secrets)
    letters = letters_of(settings)
    _require_words(settings, letters.pages.steps)
    engine = connect(settings.database_url, kept=connections)
    clock = clock or _clock(settings, engine)
    uow = UnitOfWork(engine, clock, on_commit)
    cipher = Cipher([key.strip() for key in settings.secret.split(",")])
    base_url = settings.clio.base_url or REGIONS[settings.clio.region]
    tokens = ApiClient(base_url, provider="Clio")
    login = _login(settings, tokens, DatabaseVault(uow, cipher, "clio"), clock)
    token = settings.clio.access_token
    signed = OwnAccount(
        credentials(token.get_secret_value() if token else None, login),
        DatabaseMemory(uow, "clio"),
        partial(_who, settings, base_url),
        host=urlsplit(base_url).hostname or "",
    )
    api = ApiClient(
        base_url,
        provider="Clio",
        credentials=signed,
        pacer=_pacer(settings, signed),
        headers=HEADERS,
        # A third of the lease: a send that hangs must be over long before anyone else may claim its job.
        deadline_seconds=min(settings.clio.deadline_seconds, settings.engine.lease_seconds / 3),
        redirects=REDIRECTS,
        optional=OPTIONAL,
        on_call=on_call,
        # The second lock of a dry run: what slipped past the imagined Clio would stop here.
        reads_only=settings.dry_run,
    )
    clio = Clio(
        api,
        aliases=settings.clio.aliases,
        describe_links=settings.clio.link_description_retry,
        return_urls=settings.clio.link_return_url,
    )
    views: dict[Urgency, PracticeManagement] = {urgency: clio.at(urgency) for urgency in Urgency}
    lawpay = _lawpay(settings, on_call)
    mailer: Mailer | None = _mailer(settings)
    if settings.dry_run:
        rehearsal = Rehearsal(uow, settings.links.pay_hosts[0], settings.firm.zone)
        views = {urgency: ImaginedPractice(view, rehearsal) for urgency, view in views.items()}
        mailer = ImaginedMailer(rehearsal) if mailer is not None else None
    return Runtime(
        firm=firm,
        settings=settings,
        uow=uow,
        clock=clock,
        practice=views.__getitem__,
        gateway=LawPay(lawpay) if lawpay is not None else None,
        mailer=mailer,
        letters=letters,
        returns=_returns(settings),
        bounce_hook=bounce_hooks.load(settings.config_dir, settings.mail.bounce_hook)
        if settings.mail.bounce_hook
        else None,
        cipher=cipher,
        subscriptions=() if settings.dry_run else SUBSCRIPTIONS,
        holder=f"{socket.gethostname()}:{os.getpid()}",
        clio_url=base_url,
        people=None
        if settings.dry_run
        else _people(settings, uow, cipher, clio, partial(_login, settings, tokens, clock=clock)),
        door=partial(_at_the_door, settings.public_address, cipher),
        passing=passing or _ordered_death(settings),
        marks=_marks(settings, firm),
        heads=HeadFile(settings.mark.with_suffix(".heads")) if settings.mark and not settings.dry_run else None,
        closing=(
            api.close,
            tokens.close,
            *((lawpay.close,) if lawpay is not None else ()),
            *((clock.close,) if isinstance(clock, MovedClock) else ()),
        ),
    )


def _lawpay(settings: Settings, on_call: OnCall | None) -> ApiClient | None:
    """The conversation with LawPay's gateway, which only ever reads: no key of ours can move money by mistake."""
    base_url, key = settings.lawpay.base_url, settings.lawpay.secret_key
    if base_url is None or key is None:
        return None
    return ApiClient(
        base_url,
        provider="LawPay",
        credentials=SecretKey(key.get_secret_value()),
        deadline_seconds=min(settings.lawpay.deadline_seconds, settings.engine.lease_seconds / 3),
        on_call=on_call,
        reads_only=True,
    )


def begin(rt: Runtime) -> None:
    """Make sure the firm's database was begun for what this process is, live or a dry run; `Misconfigured` when it was not.

    The first process decides, for good: a live worker must never act on links and messages that were only imagined.
    """
    with rt.uow(quietly=True) as work:
        dry = work.imagined.begin(dry_run=rt.settings.dry_run)
    if dry and not rt.settings.dry_run:
        raise Misconfigured(
            "This database was begun as a dry run, and what it holds never happened: give the live worker another "
            "ORCH_DATABASE_URL, or run with --dry-run."
        )
    if rt.settings.dry_run and not dry:
        raise Misconfigured(
            "This database is a live worker's: a dry run needs one of its own, for instance "
            "ORCH_DATABASE_URL=sqlite:///var/dry-run.sqlite3."
        )


@contextmanager
def clock_alone(settings: Settings) -> Iterator[Clock]:
    """The firm's clock for a command whose database is not there yet, or is about to be another."""
    if not settings.clock_url:
        yield wall_clock
        return
    with closing(MovedClock(settings.clock_url)) as moved:
        yield moved


def _clock(settings: Settings, engine: sa.Engine) -> Clock:
    if settings.clock_url:
        return MovedClock(settings.clock_url)
    # A SQLite file and its processes are on one machine, and so is their clock.
    return DatabaseClock(engine) if engine.dialect.name == "postgresql" else wall_clock


@contextmanager
def clio_login(rt: Runtime) -> Iterator[ClioLogin]:
    """The conversation by which a person connects the firm to Clio; `Misconfigured` without the app's id and secret."""
    tokens = ApiClient(rt.settings.clio.base_url or REGIONS[rt.settings.clio.region], provider="Clio")
    login = _login(rt.settings, tokens, DatabaseVault(rt.uow, rt.cipher, "clio"), rt.clock)
    if login is None:
        raise Misconfigured(
            "ORCH_CLIO__CLIENT_ID and ORCH_CLIO__CLIENT_SECRET are missing: a ready token needs no connecting."
        )
    try:
        yield login
    finally:
        tokens.close()


def whoever_has(settings: Settings, access_token: str) -> Connection:
    """Whose token this is, asked of the Clio that the settings name."""
    return _who(settings, settings.clio.base_url or REGIONS[settings.clio.region], ReadyToken(access_token))


def _who(settings: Settings, base_url: str, signed: Credentials) -> Connection:
    """Who we are must be known even when nothing is left of the shared budget."""
    with _speaking(settings, base_url, signed) as clio:
        return clio.connection()


def clio_token(rt: Runtime) -> Token | None:
    """The firm's stored token, or None before it has connected."""
    return DatabaseVault(rt.uow, rt.cipher, "clio").current()


def _login(settings: Settings, tokens: ApiClient, vault: TokenVault, clock: Clock) -> ClioLogin | None:
    clio = settings.clio
    if clio.client_id is None or clio.client_secret is None:
        if clio.access_token is None:
            raise Misconfigured(
                "ORCH_CLIO__CLIENT_ID and ORCH_CLIO__CLIENT_SECRET are missing (or ORCH_CLIO__ACCESS_TOKEN, for a ready token)."
            )
        return None
    app = App(clio.client_id, clio.client_secret.get_secret_value(), f"{settings.public_address}/oauth/callback")
    return ClioLogin(vault, tokens, app, clock=clock)


def _people(
    settings: Settings, uow: UnitOfWork, cipher: Cipher, clio: Clio, login: Callable[[TokenVault], ClioLogin | None]
) -> ClioPeople:
    def own() -> int | None:
        with uow.read() as work:
            known = work.connections.known("clio")
        return known.user_id if known is not None else None

    return ClioPeople(
        own=own,
        firm=clio.at(Urgency.INTERACTIVE),
        vault=lambda user_id: DatabaseVault(uow, cipher, f"clio:{user_id}"),
        login=login,
        speak=partial(_speaking, settings, settings.clio.base_url or REGIONS[settings.clio.region]),
    )


@contextmanager
def _speaking(settings: Settings, base_url: str, signed: Credentials) -> Iterator[Clio]:
    """Clio for one call with these credentials, outside the shared budget: it is another token's, or must not wait."""
    seconds = min(settings.clio.deadline_seconds, settings.engine.lease_seconds / 3)
    api = ApiClient(
        base_url, provider="Clio", credentials=signed, headers=HEADERS, deadline_seconds=seconds, connections=1
    )
    try:
        yield Clio(api)
    finally:
        api.close()


def _at_the_door(address: str, cipher: Cipher) -> DoorAnswer:
    """POST to our public address as Clio would, with a word to which only this installation knows the answer."""
    nonce = cipher.nonce()
    met = knock(f"{address}{DOOR_PATH}", {DOOR_HEADER: nonce}, seconds=DOOR_SECONDS)
    return DoorAnswer(
        status=met.status,
        genuine=met.status == HTTPStatus.OK and cipher.proven(nonce, met.headers.get(DOOR_HEADER.lower(), "")),
        location=met.headers.get("location"),
        trouble=None if met.status is not None else Trouble.TLS if met.tls else Trouble.UNREACHED,
    )


def _pacer(settings: Settings, signed: Credentials) -> Pacer:
    if settings.embedded:
        return LocalPacer()
    # Loading Redis' client is a quarter of a start: only a process that has a Redis pays for it.
    from orchestrator.clients.redis_pacing import RedisPacer, redis_store  # noqa: PLC0415

    return RedisPacer(redis_store(settings.broker_url), signed.authorization)


def _marks(settings: Settings, firm: str) -> list[Mark]:
    """Where it is remembered how far the database was: a file, and the broker when it is not part of this process."""
    if settings.dry_run:
        return []  # nothing that it imagined was ever done
    marks: list[Mark] = [FileMark(settings.mark)] if settings.mark is not None else []
    if not settings.embedded:
        from orchestrator.clients.redis_pacing import redis_store  # noqa: PLC0415  as above
        from orchestrator.storage.redis_mark import RedisMark  # noqa: PLC0415

        which = hashlib.sha256(settings.database_url.rpartition("@")[2].encode()).hexdigest()[:12]
        marks.append(RedisMark(redis_store(settings.broker_url), f"orchestrator:mark:{firm}:{which}"))
    return marks


def _mailer(settings: Settings) -> SmtpMailer | None:
    if settings.mail.url is None or settings.mail.sender is None:
        return None
    return SmtpMailer(settings.mail.url.get_secret_value(), timeout_seconds=settings.mail.timeout_seconds)


def _returns(settings: Settings) -> ImapReturns | None:
    """The mailbox of bounces; a dry run sends nothing that could come back."""
    if settings.mail.bounces_url is None or settings.dry_run:
        return None
    return ImapReturns(settings.mail.bounces_url.get_secret_value(), timeout_seconds=settings.mail.timeout_seconds)


def letters_of(settings: Settings) -> TemplateLetters:
    """The firm's letters, from its settings alone; `Rejected` names the template or the brand that cannot work."""
    own = _brand(settings)
    rules = [
        BrandRule(
            replace(own, **row.model_dump(exclude={"practice_area", "office"}, exclude_none=True)),
            practice_area=row.practice_area,
            office=row.office,
        )
        for row in settings.letters.brands
    ]
    headers = Headers(unsubscribe=settings.mail.unsubscribe, key=settings.mail.key_header)
    base_url = settings.clio.base_url or REGIONS[settings.clio.region]
    hosts = _pay_hosts(settings, base_url)
    return TemplateLetters(settings.config_dir / "templates", own, hosts, rules=rules, headers=headers)


def _require_words(settings: Settings, there: Collection[str]) -> None:
    """A step without its words would fail on the day it falls due, weeks from now: it is refused at the start."""
    for name in settings.sequences:
        for step in load_sequence(settings.config_dir, name).steps:
            if step.is_letter and step.template not in there:
                raise Misconfigured(
                    f"config/reminders/{name}.toml: step {step.key} needs the template {step.template!r}, which is not in "
                    f"config/templates; there are {', '.join(there)}."
                )


def _brand(settings: Settings) -> Brand:
    firm = settings.firm
    return Brand(
        firm_name=firm.name,
        sender=settings.mail.sender or "billing@invalid.example",
        reply_to=firm.reply_to,
        phone=firm.phone,
        address=firm.address,
        colour=firm.colour,
        locale=firm.locale,
        footer=firm.footer,
        words=settings.letters.words,
    )


def _pay_hosts(settings: Settings, base_url: str) -> tuple[str, ...]:
    """Outside production the sandbox's own page collects the money."""
    host = urlsplit(base_url).hostname or ""
    loopback = tuple(LOOPBACK) if not settings.production else ()
    pages = {urlsplit(page).hostname or "" for page in settings.lawpay.pages.values()} - {""}
    return (*settings.links.pay_hosts, *sorted(pages), *((host,) if not settings.production else ()), *loopback)


def _ordered_death(settings: Settings) -> Passing:
    order = os.environ.get("ORCH_CRASH_AT")
    return kill_at(order) if order and not settings.production else unharmed
