"""Where readings come from in homes that have no logger of their own: one module a kind."""
