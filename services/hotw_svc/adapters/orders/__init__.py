"""The rows of orders, overrides and dashboards."""
