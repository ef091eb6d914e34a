"""Which ASGs of a fleet may take hosts: the preferred ones, else those onboarded to EAP (7.5.11 to 7.5.14)."""

from collections.abc import Sequence

from services.hotw_svc.domain.inputs import AsgFacts, Inputs


def eligible_asgs(inputs: Inputs) -> Sequence[AsgFacts]:
    """In the fleet's order; none where every preferred name is unknown, since nothing else was asked for."""
    preferred = inputs.preferred_asgs
    if preferred is None:
        return [asg for asg in inputs.fleet.asgs if asg.eap_onboarding_status]
    return [asg for asg in inputs.fleet.asgs if asg.name in preferred.names]


def unknown_preferred(inputs: Inputs) -> Sequence[str]:
    """The preferred names that no ASG of the fleet has; they are reported and ignored (7.5.13)."""
    if inputs.preferred_asgs is None:
        return ()
    known = {asg.name for asg in inputs.fleet.asgs}
    return [name for name in inputs.preferred_asgs.names if name not in known]
