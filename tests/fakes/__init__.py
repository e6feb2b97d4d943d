"""Stand-ins of the services that the product talks to, each written from the public documentation of its interface."""
