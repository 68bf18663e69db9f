"""Settings: `config/firms/NAME.toml`, then the environment (`ORCH_`, `__` for nesting), then `*_FILE` for secrets.

A missing secret stops the process with a sentence that names it; nothing below `bootstrap` reads the environment.

Many firms share one environment (docs/many-firms.md). `ORCH_FIRM_NAME__X` is X for that firm. A bare `ORCH_X` speaks to
`main` alone, but for what the whole fleet has in common: no firm ever hears another's secret or database by default.
"""

import os
import re
import tomllib
from abc import abstractmethod
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from orchestrator.domain.accounts import AccountClass, FirmAccount
from orchestrator.domain.money import CURRENCY
from orchestrator.domain.office_calendar import OfficeCalendar, has_region
from orchestrator.domain.silence import HoldKind
from orchestrator.errors import OrchestratorError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Misconfigured(OrchestratorError):
    """One or more settings are missing or wrong; the message names each, in words an administrator can act on."""


class UnknownFirm(Misconfigured):
    """There is no firm of that name."""


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as unknown:
        raise ValueError(f"{zone!r} is not a time zone name such as America/New_York") from unknown
    return zone


Zone = Annotated[str, AfterValidator(_known_zone)]
"""The name of a time zone that this machine knows."""


class FirmSettings(Group):
    name: str = "Your Firm LLP"
    time_zone: Zone = "America/New_York"
    locale: str = "en-US"
    phone: str | None = None
    address: str | None = None
    reply_to: str | None = None
    colour: str = "#1f3a5f"
    footer: tuple[str, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


class ClioSettings(Group):
    region: Literal["us", "ca", "eu", "au"] = "us"
    base_url: str | None = None
    aliases: tuple[str, ...] = ()
    client_id: str | None = None
    client_secret: SecretStr | None = None
    access_token: SecretStr | None = None
    deadline_seconds: float = Field(default=10, gt=0)
    link_description_retry: bool = True
    link_return_url: bool = True


class LawPaySettings(Group):
    """LawPay's gateway; without address and key there is none. `pages` are payment pages by the key of their account."""

    base_url: str | None = None
    secret_key: SecretStr | None = None
    deadline_seconds: float = Field(default=10, gt=0)
    poll_seconds: int = Field(default=300, ge=1)
    pages: dict[str, str] = Field(default_factory=dict)

    @property
    def configured(self) -> bool:
        return self.base_url is not None and self.secret_key is not None

    @model_validator(mode="after")
    def whole(self) -> Self:
        """Half a connection would look like none, and every payment made at LawPay would stay unseen."""
        if (self.base_url is None) != (self.secret_key is None):
            missing = "BASE_URL" if self.base_url is None else "SECRET_KEY"
            raise ValueError(f"ORCH_LAWPAY__{missing} is missing: LawPay needs an address and a key, or neither")
        if self.base_url is not None and not _bare(self.base_url):
            raise ValueError("ORCH_LAWPAY__BASE_URL is an address such as https://api.8am.com: /v1 is added to it")
        return self


def _bare(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "/v1" not in parts.path and not parts.query


class MailSettings(Group):
    url: SecretStr | None = None
    sender: str | None = Field(default=None, alias="from")
    batch_seconds: int = Field(default=60, ge=0)
    timeout_seconds: float = Field(default=10, gt=0)
    oldest_hours: int = Field(default=96, ge=1)
    client_daily_limit: int | None = Field(default=None, ge=1)
    unsubscribe: str | None = None
    one_click: bool = False
    key_header: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,62}$")
    relay_knows_keys: bool = False
    bounces_url: SecretStr | None = None
    bounces_seconds: int = Field(default=300, ge=10)
    soft_bounces: int = Field(default=3, ge=1, le=50)
    soft_days: int = Field(default=3, ge=0)
    bounce_hook: str | None = Field(default=None, pattern=r"^[a-z0-9-]{1,40}$")

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    @model_validator(mode="after")
    def known_by_its_key(self) -> Self:
        """Resending to a relay that is told no key would reach the client twice (F75)."""
        if self.relay_knows_keys and self.key_header is None:
            raise ValueError("[mail] relay_knows_keys needs key_header: the header by which the relay knows a letter")
        return self


class BrandSettings(Group):
    """How the firm signs to the clients of some matters (`[[letters.brands]]`); what is left out is the firm's own."""

    practice_area: str | None = None
    office: str | None = None
    firm_name: str | None = None
    reply_to: str | None = None
    phone: str | None = None
    address: str | None = None
    colour: str | None = None
    locale: str | None = None
    footer: tuple[str, ...] | None = None
    words: str | None = None


class LetterSettings(Group):
    """Whose name letters are in, and in which language: by matter, or as a custom field of the matter says."""

    brands: tuple[BrandSettings, ...] = ()
    words: str | None = None
    language_field: str | None = None
    languages: dict[str, str] = Field(default_factory=dict)


class ApprovalSettings(Group):
    signal: Literal["automatic", "operator", "task_completed", "custom_action"] = "automatic"
    quiet_seconds: int = Field(default=900, ge=0)


class BillingSettings(Group):
    threshold_cents: int = Field(default=50_000, ge=1)
    calendar_day: int = Field(default=28, ge=1, le=31)
    flat_fee_date_field: str = "Billing Date"
    flat_fee_stages: tuple[str, ...] = ()
    submit_drafts: bool = False
    issue_approved: bool = False
    billing_user_id: int | None = None


Rail = Literal["clio_payments", "lawpay_page"]


class RailSettings(Group):
    """Which rail some matters take (`[[links.rules]]`): those of a practice area, of an office, or of both."""

    rail: Rail
    practice_area: str | None = None
    office: str | None = None
    account: str | None = None


class LinkSettings(Group):
    rail: Rail = "clio_payments"
    rules: tuple[RailSettings, ...] = ()
    office_field: str = "Office"
    page_account: str | None = None
    days: int = Field(default=90, ge=1, le=90)
    account_id: int | None = None
    issued_from: date | None = None
    pay_hosts: tuple[str, ...] = ("clio.com",)
    hold_closed: bool = False
    several: Literal["bill", "contact"] = "bill"
    trust_requests: bool = False


class SequenceSettings(Group):
    """Which sequence some matters have (`[[reminders.rules]]`): one matter, those of a practice area, of an office, or both."""

    sequence: str
    practice_area: str | None = None
    office: str | None = None
    matter: int | None = None


def _known_region(region: str) -> str:
    if not has_region(region):
        raise ValueError(f"{region!r} is no region whose holidays we know, such as US-NY, CA-ON, GB-ENG or AU-NSW")
    return region


Region = Annotated[str, AfterValidator(_known_region)]
"""A country or one of its parts, whose public holidays are the office's."""

HOME: Mapping[str, str] = {"us": "US", "ca": "CA", "eu": "GB-ENG", "au": "AU"}
"""Whose holidays an office keeps that does not say, by Clio's region: London's in Clio's Europe."""


class ReminderSettings(Group):
    """What follows an unpaid bill, and when; the steps themselves are in `config/reminders`."""

    enabled: bool = True
    sequence: str = "standard"
    rules: tuple[SequenceSettings, ...] = ()
    window_opens: time = time(8, 30)
    window_closes: time = time(17)
    holidays: Region | None = None
    closed_days: tuple[date, ...] = ()
    issued_from: date | None = None
    minimum_cents: int = Field(default=500, ge=0)
    oldest_days: int = Field(default=365, ge=1)
    hold_closed: bool = True
    hold_pending: bool = True
    approve_batches: bool = False
    grace_days: int = Field(default=10, ge=0)
    stuck_days: int = Field(default=10, ge=1)
    fields: dict[HoldKind, str] = Field(default_factory=dict)

    @property
    def sequences(self) -> list[str]:
        """Every sequence that some bill of this firm may have; none where unpaid bills are not followed up."""
        return sorted({self.sequence, *(rule.sequence for rule in self.rules)}) if self.enabled else []

    @model_validator(mode="after")
    def open_long_enough(self) -> Self:
        """Plans are made on the hour: a window between two of them would never be open."""
        if (self.window_closes.hour * 60 + self.window_closes.minute) - (
            self.window_opens.hour * 60 + self.window_opens.minute
        ) < LEAST_WINDOW_MINUTES:
            raise ValueError("window_closes must be at least two hours after window_opens, on the same day")
        return self


LEAST_WINDOW_MINUTES = 120


class NoteSettings(Group):
    events: tuple[str, ...] = ("bill_issued", "payment_received", "payment_reversed")
    paid_field: str | None = "Invoice Paid"


class EngineSettings(Group):
    lease_seconds: float = Field(default=30, gt=0)
    settle_seconds: float = Field(default=90, ge=0)
    poll_seconds: float = Field(default=1, gt=0)
    attempts: int = Field(default=8, ge=1)
    threads: int = Field(default=4, ge=1)
    hands: int = Field(default=4, ge=1)
    open_databases: int = Field(default=8, ge=1)
    grace_seconds: float = Field(default=20, gt=0)
    deaf_seconds: float = Field(default=90, gt=0)
    mark_dir: Path | None = None


class SweepSettings(Group):
    interval_seconds: int = Field(default=900, ge=1)
    overlap_seconds: int = Field(default=300, ge=0)


class AccountSettings(Group):
    """One bank account of the firm (`[[trust.accounts]]`); what is left out is the firm's."""

    key: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    account_class: AccountClass
    clio_id: int | None = None
    lawpay_ids: tuple[str, ...] = ()
    bank_id: str | None = None
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    time_zone: Zone | None = None


def _named(said: Any) -> Any:
    """A person written as a name alone."""
    return {"name": said} if isinstance(said, str) else said


class Signatory(Group):
    """A person who may authorise draws; `clio_user_id` lets the completion of a Clio task be that person's word."""

    name: str = Field(min_length=1)
    clio_user_id: int | None = None


class EvergreenDefault(Group):
    """The level of matters of a practice area (of all, without one) that name none of their own."""

    threshold_cents: int = Field(ge=100)
    target_cents: int = Field(ge=100)
    practice_area: str | None = None


class EvergreenSettings(Group):
    """Retainers that are filled up again (`[trust.evergreen]`); off without a field and without a default."""

    threshold_field: str | None = None
    target_field: str | None = None
    defaults: tuple[EvergreenDefault, ...] = ()
    due_days: int = Field(default=14, ge=1, le=90)
    sequence: str = "retainer"

    @property
    def on(self) -> bool:
        return self.threshold_field is not None or bool(self.defaults)


class TrustSettings(Group):
    """Trust accounts and who may do what with them; everything is off until an account is configured."""

    accounts: tuple[AccountSettings, ...] = ()
    jurisdiction: str | None = None
    confirmed_by: str | None = None
    signatories: tuple[Annotated[Signatory, BeforeValidator(_named)], ...] = ()
    reviewers: tuple[str, ...] = ()
    waivers: tuple[Literal["one_person_firm"], ...] = ()
    trust_first: bool = False
    notices: Literal["person", "mail"] = "person"
    ledger_writes: bool = False
    firm_money_cap_cents: int = Field(default=20_000, ge=0)
    keep_matches_days: int = Field(default=90, ge=1)
    evergreen: EvergreenSettings = EvergreenSettings()

    @model_validator(mode="after")
    def each_account_once(self) -> Self:
        """Two rows that answer to one name would let one movement belong to two accounts."""
        for what, names in (
            ("key", [one.key for one in self.accounts]),
            ("clio_id", [one.clio_id for one in self.accounts if one.clio_id is not None]),
            ("lawpay_ids", [ident for one in self.accounts for ident in one.lawpay_ids]),
            ("bank_id", [one.bank_id for one in self.accounts if one.bank_id is not None]),
        ):
            if twice := {str(name) for name in names if names.count(name) > 1}:  # type: ignore[arg-type]
                raise ValueError(f"two accounts have the {what} {', '.join(sorted(twice))}")
        return self

    @property
    def firm_accounts(self) -> tuple[FirmAccount, ...]:
        """Every configured account, in the order of the profile."""
        return tuple(FirmAccount(**{"currency": "USD", "time_zone": "UTC", **dict(one)}) for one in self.accounts)

    def account_of(
        self,
        *,
        clio_id: int | None = None,
        lawpay_id: str | None = None,
        bank_id: str | None = None,
        key: str | None = None,
    ) -> FirmAccount | None:
        """The account that goes by this name, None when nobody configured it: no name is ever taken for a likeness (T1)."""
        for account in self.firm_accounts:
            if (
                (clio_id is not None and account.clio_id == clio_id)
                or (lawpay_id is not None and lawpay_id in account.lawpay_ids)
                or (bank_id is not None and account.bank_id == bank_id)
                or (key is not None and account.key == key)
            ):
                return account
        return None

    def signatory(self, *, name: str | None = None, clio_user_id: int | None = None) -> Signatory | None:
        """The person on the list who has this name or this Clio user, None for anybody else (T19)."""
        for person in self.signatories:
            if (name is not None and person.name.casefold() == name.strip().casefold()) or (
                clio_user_id is not None and person.clio_user_id == clio_user_id
            ):
                return person
        return None


class MetricsSettings(Group):
    token: SecretStr | None = Field(default=None, min_length=16)


MAIN = "main"
"""The firm that needs no name."""

FLEET = frozenset(
    {
        "environment",
        "dry_run",
        "broker_url",
        "public_url",
        "clock_url",
        "listen",
        "config_dir",
        "run_dir",
        "engine",
        "metrics",
    }
)
"""What a bare `ORCH_` name tells every firm; whatever else it says is for `main`."""

FIRM_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""Also part of addresses and, with `_` for `-`, of the environment's names."""

_OF_ONE_FIRM = re.compile(r"orch_firm_[a-z0-9]")
_NO_SETTINGS = {"orch_firm", "orch_firms"}


def door(firm: str) -> str:
    """Where a firm begins below the public address: `main` at its top, every other under its name."""
    return "" if firm == MAIN else f"/firms/{firm}"


def firms(config_dir: Path | None = None) -> list[str]:
    """The firms that have a profile, by name."""
    profiles = ((config_dir or _config_dir()) / "firms").glob("*.toml")
    return sorted(profile.stem for profile in profiles if FIRM_NAME.fullmatch(profile.stem))


def strangers() -> list[str]:
    """The variables of the environment that speak to a firm which has no profile."""
    known = tuple(f"orch_firm_{firm.replace('-', '_')}__" for firm in (*firms(), MAIN))
    return sorted(
        name for name in os.environ if _OF_ONE_FIRM.match(name.lower()) and not name.lower().startswith(known)
    )


class _Environment(EnvSettingsSource):
    """Some of the `ORCH_` variables; `X_FILE=/run/secrets/x` reads that file as the value of X, and wins over X."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        said = {name.lower(): value for name, value in os.environ.items() if name.lower().startswith("orch_")}
        heard = self._heard({name: value for name, value in said.items() if name not in _NO_SETTINGS})
        plain = {name: value for name, (_, value) in heard.items() if not name.endswith("_file")}
        read = {name.removesuffix("_file"): _content(*told) for name, told in heard.items() if name.endswith("_file")}
        return plain | read

    @abstractmethod
    def _heard(self, said: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """By the name of the setting: the variable that says it, and what it says."""

    @property
    def _firm(self) -> str:
        name: str = getattr(self.settings_cls, "of", MAIN)
        return name


class OfFirm(_Environment):
    """`ORCH_FIRM_NAME__X`, said of this firm only."""

    def _heard(self, said: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        mine = f"orch_firm_{self._firm.replace('-', '_')}__"
        return {
            f"orch_{name.removeprefix(mine)}": (name, value) for name, value in said.items() if name.startswith(mine)
        }


class OfAll(_Environment):
    """`ORCH_X`: everything for `main`, and for every other firm what the fleet has in common."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = dict(super()._load_env_vars())
        if found.get("orch_public_url"):
            found["orch_public_url"] = f"{found['orch_public_url']}".rstrip("/") + door(self._firm)
        return found

    def _heard(self, said: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        return {
            name: (name, value)
            for name, value in said.items()
            if not _OF_ONE_FIRM.match(name)
            and (self._firm == MAIN or name.removeprefix("orch_").removesuffix("_file").partition("__")[0] in FLEET)
        }


class Profile(TomlConfigSettingsSource):
    """`config/firms/NAME.toml`; a key `x_file` names the file that holds x, beside the profile unless it says where."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return _filled(super()._read_file(file_path), file_path)


def _filled(said: Mapping[str, Any], profile: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in said.items():
        if isinstance(value, dict):
            found[key] = _filled(value, profile)
        elif key.endswith("_file"):
            found[key.removesuffix("_file")] = _content(f"{key} in {profile.name}", str(profile.parent / str(value)))
        else:
            found[key] = value
    return found


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as unreadable:
        shown = name.upper() if name.startswith("orch_") else name
        raise Misconfigured(f"{shown} names {path}, which cannot be read: {unreadable.strerror}.") from unreadable


class Settings(BaseSettings):
    """Everything one firm's runtime is built from."""

    model_config = SettingsConfigDict(
        env_prefix="ORCH_", env_nested_delimiter="__", extra="ignore", frozen=True, validate_by_name=True
    )
    profile: ClassVar[Path | None] = None
    of: ClassVar[str] = MAIN

    environment: Literal["production", "sandbox", "test"] = "production"
    database_url: str = "sqlite:///var/main.sqlite3"
    broker_url: str = "memory://"
    public_url: str | None = None
    clock_url: str | None = None
    secret_key: SecretStr | None = None
    listen: str = "127.0.0.1:8080"
    config_dir: Path = Path("config")
    dry_run: bool = False
    run_dir: Path = Path("var/run")

    firm: FirmSettings = FirmSettings()
    clio: ClioSettings = ClioSettings()
    lawpay: LawPaySettings = LawPaySettings()
    mail: MailSettings = MailSettings()
    letters: LetterSettings = LetterSettings()
    approval: ApprovalSettings = ApprovalSettings()
    billing: BillingSettings = BillingSettings()
    links: LinkSettings = LinkSettings()
    reminders: ReminderSettings = ReminderSettings()
    notes: NoteSettings = NoteSettings()
    engine: EngineSettings = EngineSettings()
    sweep: SweepSettings = SweepSettings()
    metrics: MetricsSettings = MetricsSettings()
    trust: TrustSettings = TrustSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        profile = (Profile(settings_cls, cls.profile),) if cls.profile else ()
        own, shared = OfFirm(settings_cls), OfAll(settings_cls)
        # The environment overrides main's profile; of any other firm it says only what all share, and the profile knows better.
        return (init_settings, own, shared, *profile) if cls.of == MAIN else (init_settings, own, *profile, shared)

    @model_validator(mode="after")
    def accounts_at_home(self) -> Self:
        """An account that does not say otherwise is in the firm's zone and in its region's currency (T49, T50)."""
        home = {"time_zone": self.firm.time_zone, "currency": CURRENCY[self.clio.region]}
        accounts = tuple(
            one.model_copy(update={name: value for name, value in home.items() if getattr(one, name) is None})
            for one in self.trust.accounts
        )
        object.__setattr__(self, "trust", self.trust.model_copy(update={"accounts": accounts}))
        return self

    @model_validator(mode="after")
    def pages_at_hand(self) -> Self:
        """A rail that nobody connected, or a page of no account, would leave bills unasked for without a word."""
        rails = {self.links.rail, *(rule.rail for rule in self.links.rules)}
        if "lawpay_page" in rails and not self.lawpay.configured:
            raise ValueError(
                "[links] names the rail lawpay_page: set ORCH_LAWPAY__BASE_URL and ORCH_LAWPAY__SECRET_KEY"
            )
        named = {*self.lawpay.pages, self.links.page_account, *(rule.account for rule in self.links.rules)} - {None}
        if strange := named - {account.key for account in self.trust.accounts}:
            raise ValueError(f"no account of [[trust.accounts]] has the key {', '.join(sorted(map(str, strange)))}")
        return self

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def office(self) -> OfficeCalendar:
        """When the firm's office is at work."""
        reminders = self.reminders
        return OfficeCalendar(
            self.firm.zone, reminders.holidays or HOME[self.clio.region], reminders.window_opens,
            reminders.window_closes, reminders.closed_days,
        )  # fmt: skip

    @property
    def sequences(self) -> list[str]:
        """Every sequence that something may be followed up by: of bills, and of requests to fill a retainer up."""
        both = self.reminders.enabled and self.trust.evergreen.on
        return sorted({*self.reminders.sequences, *((self.trust.evergreen.sequence,) if both else ())})

    @property
    def embedded(self) -> bool:
        """Whether broker, limiter and workers live in this process."""
        return self.broker_url.startswith("memory:")

    @property
    def mark(self) -> Path | None:
        """The file outside the database that remembers how far it was; beside a SQLite database unless set."""
        path = self.database_url.partition("sqlite:///")[2]
        if self.engine.mark_dir is not None:
            return self.engine.mark_dir / f"{self.of}.mark"
        return Path(f"{path}.mark") if path and path != ":memory:" else None

    @property
    def public_address(self) -> str:
        """Where Clio reaches us, the firm's own door included; without one it is the listening address."""
        return (self.public_url or f"http://{self.listen}{door(self.of)}").rstrip("/")

    @property
    def secret(self) -> str:
        """The key material for encryption at rest; outside production a ready token stands in, so that nothing else is needed."""
        for value in (self.secret_key, None if self.production else self.clio.access_token):
            if value is not None:
                return value.get_secret_value()
        raise Misconfigured(
            "ORCH_SECRET_KEY is missing: it encrypts tokens at rest. Make one with `openssl rand -hex 32` and keep it safe."
        )

    @property
    def secrets(self) -> set[str]:
        """Every value that must be in no line of a log: the secret settings, and the passwords inside addresses."""
        values = [
            value
            for group in (self, *vars(self).values())
            if isinstance(group, BaseModel)
            for value in vars(group).values()
        ]
        found = {
            part.strip()
            for value in values
            if isinstance(value, SecretStr)
            for part in value.get_secret_value().split(",")
        }
        addresses = {value for value in values if isinstance(value, str)} | found
        return {secret for secret in found | {_password(address) for address in addresses} if secret}

    @model_validator(mode="after")
    def safe(self) -> Self:
        """Refuse what would be dangerous in production: a moved clock, or a public address in the clear."""
        if self.clock_url and self.production:
            raise ValueError("ORCH_CLOCK_URL is only for ORCH_ENVIRONMENT=sandbox or test")
        if self.approval.signal == "custom_action" and self.production and not self.public_url:
            raise ValueError(
                "[approval] signal custom_action needs ORCH_PUBLIC_URL: the button in Clio opens that address"
            )
        if self.mail.one_click and not self.public_url:
            raise ValueError("[mail] one_click needs ORCH_PUBLIC_URL: the button in a reminder leads there")
        if self.public_url and self.production and urlsplit(self.public_url).scheme != "https":
            raise ValueError("ORCH_PUBLIC_URL must start with https:// in production")
        for name, address in (
            ("ORCH_CLIO__BASE_URL", self.clio.base_url),
            ("ORCH_LAWPAY__BASE_URL", self.lawpay.base_url),
            *((f"[lawpay] pages.{key}", page) for key, page in self.lawpay.pages.items()),
        ):
            parts = urlsplit(address or "")
            if self.production and address and parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise ValueError(f"{name} must start with https:// in production")
        return self


def load(firm: str = MAIN, **overrides: Any) -> Settings:
    """Settings of one firm, or `Misconfigured` with one sentence for each thing that is wrong."""
    if not FIRM_NAME.fullmatch(firm):
        raise UnknownFirm(f"{firm!r} cannot be a firm: names are lower-case letters, digits and single hyphens.")
    folder = Path(overrides.get("config_dir") or _config_dir())
    profile = folder / "firms" / f"{firm}.toml"
    if firm != MAIN and not profile.is_file():
        raise UnknownFirm(f"There is no firm {firm!r}: {profile} does not exist.")

    class Its(Settings):
        model_config = SettingsConfigDict(
            env_prefix="ORCH_", env_nested_delimiter="__", extra="ignore", frozen=True, validate_by_name=True
        )
        database_url: str = f"sqlite:///var/{firm}.sqlite3"

    Its.profile, Its.of = profile if profile.is_file() else None, firm
    try:
        return Its(**{"config_dir": folder, **overrides})
    except ValidationError as wrong:
        raise Misconfigured(" ".join(_sentence(error) for error in wrong.errors())) from wrong
    except tomllib.TOMLDecodeError as wrong:
        raise Misconfigured(f"{profile} is not valid TOML: {wrong}.") from wrong
    except SettingsError as wrong:
        raise Misconfigured(f"{wrong}: lists and groups in the environment are written as JSON.") from wrong


def _password(address: str) -> str:
    """The password that an address carries, if it is one."""
    try:
        return unquote(urlsplit(address).password or "")
    except ValueError:
        return ""


def _sentence(error: Any) -> str:
    name = "ORCH_" + "__".join(str(part).upper() for part in error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{said}." if not error["loc"] else f"{name}: {said}."


def _config_dir() -> Path:
    """`ORCH_CONFIG_DIR`, else `config` beside the working directory, else the one that ships with the source tree."""
    if named := os.environ.get("ORCH_CONFIG_DIR"):
        return Path(named)
    here = Path("config")
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / "config"
