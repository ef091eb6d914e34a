"""Messages: CloudEvents on Kafka or on the embedded log, published and consumed at least once.

``subscription`` and ``commands`` say what a service consumes, ``consumer`` runs it, ``publisher`` sends,
``dead_letter_queue`` holds what was given up, ``transport`` is what all of it stands on. Import from the modules:
tools that only read or send then need no FastStream, which takes a second to import.
"""
