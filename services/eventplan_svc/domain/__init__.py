"""The rules of event plans: milestones, readiness, automation and the dashboard, without any input or output.

Instants and days are text in wire form (``2024-06-15T09:00:00.000Z``, ``2024-07-16``), in which both sort as text.
"""
