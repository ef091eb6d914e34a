"""What stands in for the network where a test needs none: a broker in memory, HTTP without a socket."""
