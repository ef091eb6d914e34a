"""The contract of a proposal: the TPM that a fleet's traffic outside events leads to expect at the peak."""

from __future__ import annotations

from shared.schemas.base import CommandBody, Count, DecimalNumber, Id, Text, WireModel


class Proposal(WireModel):
    """``TPM`` is BAUTPM × CTFactor, rounded half up; ``Working`` says so in a sentence."""

    tpm: Count
    bau_tpm: Count
    ct_factor: DecimalNumber
    working: Text


class AcceptProposal(CommandBody):
    """Makes a proposal the TotalInputTPM of the projection, unverified; ``TPM`` is the proposal as it was read."""

    fleet_id: Id
    event_id: Id
    tpm: Count
