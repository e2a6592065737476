"""How the server listens and what it accepts."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from actions.secrets import SecretStore


class SettingsError(ValueError):
    """A combination of settings that would be unsafe or cannot work; names the fix."""


@dataclass(frozen=True)
class BodyLimits:
    """What a request body may be.

    Attributes:
        size: bytes; five noisy 4K screenshots as base64 fit.
        grace: seconds in which a body may arrive at any speed.
        rate: bytes per second below which a body may not fall after the grace.
    """

    size: int = 180_000_000
    grace: float = 10.0
    rate: int = 64_000


@dataclass(frozen=True)
class ImageLimits:
    """What a screenshot may be.

    Attributes:
        count: pictures in one request.
        least: shortest side in pixels; a visual token covers 28.
        most: longest side in pixels.
        pixels: of one picture (8K is 33 million).
        total: pixels of all pictures of one request.
        cached: pixels of the pictures that are kept decoded (six of 4K).
    """

    count: int = 32
    least: int = 28
    most: int = 8192
    pixels: int = 36_000_000
    total: int = 130_000_000
    cached: int = 50_000_000


@dataclass(frozen=True)
class ControlSettings:
    """What sessions may be.

    Attributes:
        runs: folder of their records; the console shows every episode below it.
        real_display: whether a session may have the display of whoever runs the server.
        sessions: most that are open at once.
        lease: seconds without a sign of life after which the control lease ends.
        patience: seconds that a viewer may take to read what it is sent.
        secrets: what `{{secret:NAME}}` stands for; the model and the record only see the name.
    """

    runs: Path = Path("runs")
    real_display: bool = False
    sessions: int = 4
    lease: float = 10.0
    patience: float = 10.0
    secrets: SecretStore = field(default_factory=SecretStore)


@dataclass(frozen=True)
class Settings:
    """One server's settings.

    Attributes:
        host: address to bind; anything but loopback needs TLS or `insecure`.
        port: TCP port, 0 takes a free one.
        certificate: PEM file of the TLS certificate chain, None serves plain HTTP.
        key: PEM file of the certificate's private key.
        insecure: allows plain HTTP on an address that others can reach.
        hosts: more values of the Host header to accept ("name" or "name:port").
        audit: file of the audit log, None keeps none.
        rate: requests a second in the long run, for each token.
        burst: requests at once, for each token.
        queue: requests that may wait or run at once.
        instruction: most characters of an instruction.
        text: most characters of all texts of one request.
        head: seconds in which the head of a request must have arrived.
        drain: seconds that running requests get to finish at shutdown.
        body: limits of request bodies.
        images: limits of screenshots.
        control: what sessions may be.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    hosts: tuple[str, ...] = ()
    audit: Path | None = None
    rate: float = 100.0
    burst: int = 200
    queue: int = 16
    instruction: int = 20_000
    text: int = 500_000
    head: float = 10.0
    drain: int = 30
    body: BodyLimits = field(default_factory=BodyLimits)
    images: ImageLimits = field(default_factory=ImageLimits)
    control: ControlSettings = field(default_factory=ControlSettings)

    def __post_init__(self) -> None:
        """Refuse to be reachable in clear text unless that was asked for."""
        if (self.certificate is None) != (self.key is None):
            raise SettingsError("TLS needs both a certificate and its key, actually: only one")
        if not (self.loopback or self.tls or self.insecure):
            raise SettingsError(
                f"binding {self.host} sends token and screenshots over the network in clear text: "
                "bind 127.0.0.1 and use an SSH tunnel, or give a TLS certificate and key, or pass "
                "the insecure flag if another layer encrypts"
            )

    @property
    def tls(self) -> bool:
        """Whether the server speaks HTTPS."""
        return self.certificate is not None

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False
