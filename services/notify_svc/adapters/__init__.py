"""The adapters of notify_svc: an SMTP server or a folder of mails, and the templates."""
