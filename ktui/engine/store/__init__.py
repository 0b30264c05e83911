"""The versioned store: every object at every recent revision, durable in a journal, watchable."""
