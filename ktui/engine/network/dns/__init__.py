"""DNS for the cluster: names of Services and pods from memory, everything else from the host's resolvers."""
