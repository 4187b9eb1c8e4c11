"""Telemetry comes in here: OTLP over HTTP and gRPC, admission, group commit."""
