"""What an operator sets of a server, by the environment or by options of ``meanface serve``."""

from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from analysis.core.errors import UserError
from analysis.data.decoding import PROCESSES, SECONDS


class Settings(BaseSettings):
    """Settings of a server; what is not given is read from the environment variable of the same name.

    Attributes
    ----------
    host
        Address to listen on.
    port
        Port to listen on, 1 to 65535.
    allow_origin
        Hosts ("HOST" or "HOST:PORT") besides the server's own whose pages may open sessions of the explorer; "*"
        allows all. In the environment they are separated by spaces.
    decode_seconds
        Seconds of processor time that decoding a photo may take before it is given up.
    decode_processes
        Number of photos other than small JPEGs and PNGs that are decoded at a time; each may take 200 MB.
    shutdown_seconds
        How long a stopping server waits for requests to finish; an open explorer page never closes by itself.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="forbid")

    host: str = "127.0.0.1"
    port: int = Field(5006, ge=1, le=65535)
    allow_origin: Annotated[tuple[str, ...], NoDecode] = ()  # not JSON
    decode_seconds: float = Field(SECONDS, gt=0)
    decode_processes: int = Field(PROCESSES, ge=1)
    shutdown_seconds: int = Field(1, ge=0)

    @field_validator("allow_origin", mode="before")
    @classmethod
    def _split(cls, hosts: Any) -> Any:
        return tuple(hosts.split()) if isinstance(hosts, str) else hosts

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
            If a value is not valid.
        """
        try:
            return cls(**{name: value for name, value in options.items() if value is not None})
        except ValidationError as error:
            wrong = error.errors()[0]
            name = str(wrong["loc"][0])
            where = f"{name.upper()} or --{name.replace('_', '-')}" if name in options else name.upper()
            raise UserError(f"{name} {wrong['input']!r} is not valid ({wrong['msg']}): set {where}") from None
