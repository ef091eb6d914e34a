"""The use cases about fleets. Those about services and projections are every declared resource's."""
