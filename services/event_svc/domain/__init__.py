"""The rules of event_svc: what an Event and a profile take from each other, and the dates that follow from an Event."""
