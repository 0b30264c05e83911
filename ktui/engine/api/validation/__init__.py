"""What an object must be: the walk along the schema, and each kind's rules as pure functions on plain data."""
