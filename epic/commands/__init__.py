"""The subcommands of ``epic``, one module per subject: arguments, help, exit codes."""
