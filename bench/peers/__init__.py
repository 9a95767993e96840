"""The same problems in the hands of others, each in an environment of its own: `make bench-peers`."""
