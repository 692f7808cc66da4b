"""The kill test: nothing is lost and nothing is done twice, whatever is killed meanwhile."""
