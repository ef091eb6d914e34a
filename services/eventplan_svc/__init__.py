"""Event plans and readiness: one fleet's milestones for one event, kept by people and by automation."""
