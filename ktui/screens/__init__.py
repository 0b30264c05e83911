"""The screens, one module each; they know widgets and the client, never the engine."""
