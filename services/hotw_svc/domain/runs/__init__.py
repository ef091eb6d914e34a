"""What a run works out for one fleet: what it needs, what it has, where new hosts go, and why."""
