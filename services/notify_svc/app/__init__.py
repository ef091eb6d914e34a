"""The use cases of notify_svc, one module each.

gather_orders    hotw.order.placed and hotw.run.completed → one order summary per service and run
open_tickets     an emergent hotw.order.placed → one Sev2 ticket per service and event, and its mail
write_tickets    create, change and escalate a ticket
send             what waits → SMTP or a file, once per cause
"""
