"""The peer benchmark: the product beside HAProxy, nginx, Envoy and a direct connection, in interleaved rounds."""
