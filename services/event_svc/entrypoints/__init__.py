"""How the calendar is read from outside: over HTTP, and as iCalendar."""
