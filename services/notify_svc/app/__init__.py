"""The use cases of notify_svc, one module each.

gather_orders            hotw.order.placed and hotw.run.completed → one order summary per service and run
open_tickets             an emergent hotw.order.placed → one Sev2 ticket per service and event, and its mail
warn_of_inactive_events  a hotw.order.reviewed of an event that stopped running → one mail per service and event
write_tickets            create, change and escalate a ticket
send                     what waits → SMTP or a file, once per cause
"""
