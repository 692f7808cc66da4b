"""A local Freshdesk: its API, its rules about tickets, its webhooks."""
