"""The version of clew-sdk, also sent as the version of its instrumentation scope."""

__version__ = "0.1.0"
