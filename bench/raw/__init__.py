"""The floors' tools: the drivers themselves, set as EPIC sets them, with nothing of EPIC's around them."""
