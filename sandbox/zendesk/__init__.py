"""A local Zendesk: its API, its rules about tickets, its webhooks."""
