"""The floors that are processes of their own, as a service is one."""
