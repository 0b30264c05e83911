"""Authorization by roles: rules, who holds them, the defaults of a cluster, and what guards them."""
