"""CEL as Kubernetes speaks it: parsed, checked against types, evaluated; rules of custom resources and admission use it."""
