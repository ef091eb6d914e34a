"""The rows of a bulk job: read from a file, understood by their contract, and reported where they were refused."""
