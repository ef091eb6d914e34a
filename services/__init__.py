"""The five services of EPIC; each is one process with a store of its own, and none imports another."""
