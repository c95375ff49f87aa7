"""What an operator sets of a server: one class, read from the environment and from options of ``meanface serve``.

The options, their help and ``meanface config`` are made from it, so that a setting is declared here and nowhere else.
"""

import difflib
import hashlib
import ipaddress
import os
import re
from typing import Annotated, Any, Literal, Self

from limits import parse_many
from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from analysis.core.errors import UserError
from analysis.data.limits import PROCESSES, SECONDS

_PREFIX = "MEANFACE_"
PATH_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")  # safe within a page, an address and a header
OWN_PATHS = frozenset(  # first parts of the server's own addresses, which no prefix may be taken for
    ("api", "components", "explore", "healthz", "livez", "metrics", "predict", "readyz", "site", "static")
)
KEY_NAME = r"[A-Za-z0-9._-]+"
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?|\*")
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def _split(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]  # not JSON: words separated by spaces


def _environment(*names: str) -> AliasChoices:
    """Name the variables that a setting is read from, the first one that is set."""
    return AliasChoices(*names)


class Settings(BaseSettings):
    """Settings of a server.

    What is not given is read from the environment: ``MEANFACE_`` and the setting's name in capitals, or another name
    that is declared with it. Lists are separated by spaces there. Each setting's description is its help text.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, env_ignore_empty=True, extra="forbid", populate_by_name=True
    )

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on, 0.0.0.0 for any of this machine.",
        validation_alias=_environment("MEANFACE_HOST", "HOST"),
    )
    port: int = Field(
        5006, ge=1, le=65535, description="Port to listen on.", validation_alias=_environment("MEANFACE_PORT", "PORT")
    )
    root_path: str = Field(
        "",
        description="Path below which a proxy shows the server, such as /meanface; X-Forwarded-Prefix of a trusted "
        "proxy says the same.",
    )
    trusted_proxy: Words = Field(
        ("127.0.0.1", "::1"),
        description="Addresses or networks of proxies whose X-Forwarded-For, -Proto and -Prefix are believed; * for "
        "all; repeatable.",
        validation_alias=_environment("MEANFACE_TRUSTED_PROXY", "FORWARDED_ALLOW_IPS"),
    )
    allow_host: Words = Field(
        (),
        description="Host names under which the server answers, * for all, *.example.org for those below it; "
        "repeatable. Without one it is any name, or, where it listens on a loopback address, this machine's own.",
    )
    allow_origin: Words = Field(
        (),
        description="Host (or host:port) besides the server's own whose pages may open sessions of the explorer: that "
        "of a proxy which does not pass on the Host header; * for all, and for clients without an origin; repeatable.",
        validation_alias=_environment("MEANFACE_ALLOW_ORIGIN", "ALLOW_ORIGIN"),
    )
    cors_origin: Words = Field(
        (),
        description="Origin, such as https://example.org, whose pages may call the API from a browser; * for all; "
        "repeatable.",
    )
    api_key: Words = Field(
        (),
        description="NAME:HASH of a key that may predict, as `meanface key NAME` makes it; repeatable. Without one the "
        "API is open.",
    )
    rate_limit: str = Field(
        "",
        description="How often a key, or else an address, may predict and open a page of the explorer, such as "
        '"100/minute"; several are separated by semicolons.',
    )
    decode_seconds: float = Field(
        SECONDS,
        gt=0,
        allow_inf_nan=False,
        description="Seconds of processor time that decoding a photo may take before it is given up.",
    )
    decode_processes: int = Field(
        PROCESSES,
        ge=1,
        description="Photos other than small JPEGs and PNGs that are decoded at a time; each may take 200 MB.",
    )
    score_processes: int = Field(
        0,
        ge=0,
        description="Processes that score small photos; 0 for one a core, four at most. Each takes some 40 MB.",
    )
    queue: int = Field(48, ge=1, description="Photos that are scored or wait for it at a time; more are answered 503.")
    request_seconds: float = Field(60, gt=0, allow_inf_nan=False, description="Seconds until a prediction is given up.")
    read_seconds: float = Field(
        10,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that a client may pause within a request before it is given up.",
    )
    sessions: int = Field(64, ge=1, description="Pages of the explorer that are open at a time; more are answered 503.")
    shutdown_seconds: int = Field(
        30, ge=0, description="Seconds that a stopping server waits for the requests it has accepted."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged from; info has a line for each request."
    )
    log_format: Literal["text", "json"] = Field("text", description="How it is logged.")

    @field_validator("root_path")
    @classmethod
    def _prefix(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and (not PATH_PREFIX.fullmatch(path) or {".", ".."} & set(path.split("/"))):
            raise ValueError("a path such as /meanface is needed")
        if path.split("/")[1:2] and path.split("/")[1] in OWN_PATHS:
            raise ValueError("it begins like an address of the server itself")
        return path

    @field_validator("trusted_proxy", mode="before")
    @classmethod
    def _commas(cls, proxies: Any) -> Any:
        return proxies.replace(",", " ") if isinstance(proxies, str) else proxies  # as FORWARDED_ALLOW_IPS has them

    @field_validator("trusted_proxy")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            if proxy != "*":
                ipaddress.ip_network(proxy)  # says what is wrong with it
        return proxies

    @field_validator("allow_host", "allow_origin")
    @classmethod
    def _names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        # An origin as browsers write it has a scheme, which does not matter here.
        hosts = tuple(re.sub(r"(?i)^https?://([^/]+)/?$", r"\1", host) for host in hosts)
        if wrong := [host for host in hosts if not _HOST.fullmatch(host)]:
            raise ValueError(f"{wrong[0]} is no name of a host, such as example.org, localhost:8000 or *")
        return hosts

    @field_validator("cors_origin")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in origins if not re.fullmatch(r"\*|https?://[^/\s]+", origin)]:
            raise ValueError(f"{wrong[0]} is no origin, which is a scheme and a host: https://example.org")
        return tuple(origin.lower() for origin in origins)

    @field_validator("api_key")
    @classmethod
    def _hashes(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(rf"{KEY_NAME}:[0-9a-f]{{64}}", key) for key in keys):
            raise ValueError("NAME:HASH is needed, as `meanface key NAME` prints it")
        if len({key.partition(":")[0] for key in keys}) < len(keys):
            raise ValueError("two keys have one name")
        return keys

    @field_validator("rate_limit")
    @classmethod
    def _rates(cls, limits: str) -> str:
        if limits and not all(limit.amount > 0 and limit.multiples > 0 for limit in parse_many(limits)):
            raise ValueError("a number above 0 is needed")
        return limits

    @property
    def for_this_machine_alone(self) -> bool:
        """Whether nobody but browsers on this machine can open the explorer, not even through a proxy."""
        return self.hosts == (*LOOPBACK, self.host) and not self.root_path

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names under which the server answers; "*" among them for all."""
        if named := self.allow_host:
            return (*named, *self.allow_origin)
        if self.host == "localhost" or (is_address(self.host) and ipaddress.ip_address(self.host).is_loopback):
            return (*LOOPBACK, self.host, *self.allow_origin)
        return ("*",)

    @classmethod
    def read(cls, **options: Any) -> Self:
        """Read the settings.

        Parameters
        ----------
        **options
            Settings that take precedence over the environment; None leaves one to it.

        Raises
        ------
        UserError
            If a value is not valid; the message names the variable or option that it came from.
        """
        given = {name: value for name, value in options.items() if value is not None}
        try:
            return cls(**given)
        except ValidationError as error:
            wrong = error.errors()[0]
            name = next(name for name in cls.model_fields if wrong["loc"][0] in (name, *environment_names(name)))
            why = wrong["msg"].removeprefix("Value error, ")
            given_as = wrong["input"]
            shown = "" if name == "api_key" else f" {' '.join(given_as) if isinstance(given_as, tuple) else given_as!r}"
            variables = environment_names(name)
            variable = next((each for each in variables if os.environ.get(each)), variables[-1])
            raise UserError(f"{name}{shown} is not valid ({why}): set {variable} or {option(name)}") from None


def option(name: str) -> str:
    """Name the option of ``meanface serve`` that is a setting."""
    return f"--{name.replace('_', '-')}"


def environment_names(name: str) -> tuple[str, ...]:
    """Name the variables of the environment that a setting is read from, the first one that is set."""
    field: FieldInfo = Settings.model_fields[name]
    if isinstance(field.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in field.validation_alias.choices)
    return (f"{_PREFIX}{name.upper()}",)


def source(name: str, given: Any = None) -> str:
    """Say where the value of a setting comes from: "--host", "HOST of the environment" or "default".

    Parameters
    ----------
    name
        The setting.
    given
        What was given by the option; None if it was not.
    """
    if given is not None:
        return option(name)
    named = next((variable for variable in environment_names(name) if os.environ.get(variable)), None)
    return f"{named} of the environment" if named else "default"


def near_misses() -> dict[str, str]:
    """Variables of the environment that are no settings, but are named almost like one: the one that may be meant."""
    known = {variable for name in Settings.model_fields for variable in environment_names(name)}
    unknown = {name for name in os.environ if name.startswith(_PREFIX)} - known
    meant = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in sorted(unknown)}
    return {name: near[0] for name, near in meant.items() if near}


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def hash_key(key: str) -> str:
    """Hash an API key. Keys are 256 random bits, so that a fast hash without salt cannot be reversed either."""
    return hashlib.sha256(key.encode()).hexdigest()
