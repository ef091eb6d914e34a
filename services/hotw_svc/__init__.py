"""HOTW: computes the hosts a fleet needs for an event, orders them and follows them until they leave."""
