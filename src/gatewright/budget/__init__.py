"""The best network that a budget has room for: limits, predicted costs, the space that is searched, and the search."""
