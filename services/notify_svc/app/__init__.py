"""The use cases of notify_svc.

summarize_orders       orders of a run and its end become one order summary per service and run
open_emergent_tickets  an emergent order opens one Sev2 ticket per service and event, with its mail
warn_of_open_orders    an event that stopped running becomes one mail per service about the orders left open
tickets                create, change and escalate a ticket
request_mails          ask for mails, once per cause
send_mails             send what is due, over SMTP or to a file
"""
