"""Owns the commands of ``epic``, one module a subject: their arguments, their help, their exit codes."""
