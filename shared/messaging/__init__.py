"""Messages: CloudEvents on Kafka or the embedded log, published, consumed at least once, kept when they cannot be.

Import from the modules: ``envelope``, ``publisher``, ``subscription``, ``consumer``, ``deadletters``, ``blocking``,
``topics``, ``asyncapi``, ``http``. Tools that only read or send then need no FastStream, which takes a second to load.
"""
