"""How HOTW is reached: over HTTP, by commands, and by the events of others."""
