"""Knows what is allowed in policies, contracts and field mappings and is still a mistake."""
