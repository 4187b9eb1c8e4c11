"""History in: tables and logs of years are read in batches, understood on samples, and sent as stage events.

    source (one module a format) -> batches of columns -> Recogniser -> events -> transfer -> the API

The same source is read twice: first to check every line of it, then to send. So nothing is sent of a file that isn't
understood, and a dry run is the first half of an import.
"""
