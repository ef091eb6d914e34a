"""What every store promises about writes and messages, defined once; the backends implement only what differs."""
