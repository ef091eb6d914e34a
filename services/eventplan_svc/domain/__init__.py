"""The rules of event plans: milestones, readiness, automation and the dashboard, without any input or output.

A plan is a plain dict in wire form (EventPlanTable). No function changes a plan in place, and plans share parts with
each other: treat every dict and list in them as frozen.
"""
