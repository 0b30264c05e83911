"""How everything talks to a cluster: the `Client` protocol, its remote form, informers, kubeconfig."""
