"""A local Zendesk and a local Freshdesk, for trying out, for tests, and for load and faults."""
