"""CustomResourceDefinitions: kinds that are declared at run time, and what their structural schemas ask for."""
