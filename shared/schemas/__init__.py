"""The wire contracts: a module per owner, the registry of topics, and one golden JSON per message."""
