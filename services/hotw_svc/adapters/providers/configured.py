"""The provider that the configuration names (7.8.21b)."""

from __future__ import annotations

from dataclasses import dataclass

from services.hotw_svc.adapters.providers.rehearsed import RehearsedProvider
from services.hotw_svc.app.providers.provider import Provider
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """A provider, and whether its groups can be looked at."""

    provider: Provider
    looks: bool = True


def provider_of(settings: Settings) -> ConfiguredProvider | None:
    """The provider to ask; None for the ledger, by which people do what it says.

    A rehearsal asks nobody unless it is told to (2.30b). RuntimeError where boto3 is not installed.
    """
    if settings.hotw_provider == "ledger":
        return None
    if settings.now is not None and not settings.rehearsal_send:
        return ConfiguredProvider(RehearsedProvider(), looks=False)
    try:
        from services.hotw_svc.adapters.providers.aws import AwsAutoScaling  # boto3 is an extra
    except ImportError as error:
        raise RuntimeError(
            "EPIC_HOTW_PROVIDER is aws, but boto3 is not installed; install requirements/aws.txt"
        ) from error
    return ConfiguredProvider(AwsAutoScaling())
