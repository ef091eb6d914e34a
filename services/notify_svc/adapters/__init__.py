"""What notify_svc speaks to: an SMTP server or a folder of mails, and its templates."""
