"""Settings: `config/firms/NAME.toml`, then the environment (`ORCH_`, `__` for nesting), then `*_FILE` for secrets.

A missing secret stops the process with a sentence that names it; nothing below `bootstrap` reads the environment.
"""

import os
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from orchestrator.errors import OrchestratorError

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Misconfigured(OrchestratorError):
    """One or more settings are missing or wrong; the message names each, in words an administrator can act on."""


class Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FirmSettings(Group):
    name: str = "Your Firm LLP"
    time_zone: str = "America/New_York"
    locale: str = "en-US"
    phone: str | None = None
    address: str | None = None
    reply_to: str | None = None
    colour: str = "#1f3a5f"

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as unknown:
            raise ValueError(f"{zone!r} is not a time zone name such as America/New_York") from unknown
        return zone

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
    base_url: str | None = None
    secret_key: SecretStr | None = None


class MailSettings(Group):
    url: SecretStr | None = None
    sender: str | None = Field(default=None, alias="from")
    batch_seconds: int = Field(default=60, ge=0)
    timeout_seconds: float = Field(default=10, gt=0)

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


class ApprovalSettings(Group):
    signal: Literal["automatic", "operator", "task_completed"] = "automatic"
    quiet_seconds: int = Field(default=900, ge=0)


class BillingSettings(Group):
    threshold_cents: int = Field(default=50_000, ge=1)
    calendar_day: int = Field(default=28, ge=1, le=31)
    flat_fee_date_field: str = "Billing Date"
    flat_fee_stages: tuple[str, ...] = ()
    submit_drafts: bool = False
    issue_approved: bool = False
    billing_user_id: int | None = None


class LinkSettings(Group):
    rail: Literal["clio_payments", "lawpay_page"] = "clio_payments"
    days: int = Field(default=90, ge=1, le=90)
    account_id: int | None = None
    issued_from: date | None = None
    pay_hosts: tuple[str, ...] = ("clio.com",)


class NoteSettings(Group):
    events: tuple[str, ...] = ("bill_issued", "payment_received", "payment_reversed")
    paid_field: str | None = "Invoice Paid"


class EngineSettings(Group):
    lease_seconds: float = Field(default=30, gt=0)
    settle_seconds: float = Field(default=90, ge=0)
    poll_seconds: float = Field(default=1, gt=0)
    attempts: int = Field(default=8, ge=1)
    threads: int = Field(default=4, ge=1)


class SweepSettings(Group):
    interval_seconds: int = Field(default=900, ge=1)
    overlap_seconds: int = Field(default=300, ge=0)


class Environment(EnvSettingsSource):
    """The `ORCH_` variables, less those that name a file, and less `ORCH_FIRM`, which names the profile and is no group."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        found = super()._load_env_vars().items()
        return {
            name: value for name, value in found if not name.lower().endswith("_file") and name.lower() != "orch_firm"
        }


class Files(EnvSettingsSource):
    """`ORCH_X__Y_FILE=/run/secrets/y` reads that file as the value of `ORCH_X__Y`."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        prefix, suffix = "orch_", "_file"
        found: dict[str, str | None] = {}
        for name, path in os.environ.items():
            if name.lower().startswith(prefix) and name.lower().endswith(suffix):
                try:
                    found[name.lower().removesuffix(suffix)] = Path(path).read_text(encoding="utf-8").strip()
                except OSError as unreadable:
                    raise Misconfigured(
                        f"{name} names {path}, which cannot be read: {unreadable.strerror}."
                    ) from unreadable
        return found


class Settings(BaseSettings):
    """Everything one firm's runtime is built from."""

    model_config = SettingsConfigDict(
        env_prefix="ORCH_", env_nested_delimiter="__", extra="ignore", frozen=True, validate_by_name=True
    )
    profile: ClassVar[Path | None] = None

    environment: Literal["production", "sandbox", "test"] = "production"
    database_url: str = "sqlite:///var/main.sqlite3"
    broker_url: str = "memory://"
    public_url: str | None = None
    clock_url: str | None = None
    secret_key: SecretStr | None = None
    listen: str = "127.0.0.1:8080"
    config_dir: Path = Path("config")
    dry_run: bool = False

    firm: FirmSettings = FirmSettings()
    clio: ClioSettings = ClioSettings()
    lawpay: LawPaySettings = LawPaySettings()
    mail: MailSettings = MailSettings()
    approval: ApprovalSettings = ApprovalSettings()
    billing: BillingSettings = BillingSettings()
    links: LinkSettings = LinkSettings()
    notes: NoteSettings = NoteSettings()
    engine: EngineSettings = EngineSettings()
    sweep: SweepSettings = SweepSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        sources = (init_settings, Files(settings_cls), Environment(settings_cls))
        return (*sources, TomlConfigSettingsSource(settings_cls, cls.profile)) if cls.profile else sources

    @property
    def production(self) -> bool:
        return self.environment == "production"

    @property
    def embedded(self) -> bool:
        """Whether broker, limiter and workers live in this process."""
        return self.broker_url.startswith("memory:")

    @property
    def public_address(self) -> str:
        """Where Clio reaches us; outside production it defaults to the listening address."""
        return (self.public_url or f"http://{self.listen}").rstrip("/")

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
        if self.public_url and self.production and urlsplit(self.public_url).scheme != "https":
            raise ValueError("ORCH_PUBLIC_URL must start with https:// in production")
        if self.production and self.clio.base_url:
            parts = urlsplit(self.clio.base_url)
            if parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise ValueError("ORCH_CLIO__BASE_URL must start with https:// in production")
        return self


def load(firm: str = "main", **overrides: Any) -> Settings:
    """Settings of one firm, or `Misconfigured` with one sentence for each thing that is wrong."""
    folder = Path(overrides.get("config_dir") or os.environ.get("ORCH_CONFIG_DIR") or _config_dir())
    profile = folder / "firms" / f"{firm}.toml"
    if firm != "main" and not profile.is_file():
        raise Misconfigured(f"There is no firm {firm!r}: {profile} does not exist.")

    class OfFirm(Settings):
        model_config = SettingsConfigDict(
            env_prefix="ORCH_", env_nested_delimiter="__", extra="ignore", frozen=True, validate_by_name=True
        )

    OfFirm.profile = profile if profile.is_file() else None
    try:
        return OfFirm(**{"config_dir": folder, **overrides})
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
    """`config` beside the working directory, else the one that ships with the source tree."""
    here = Path("config")
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / "config"
