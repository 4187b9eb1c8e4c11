"""Real servers for tests: installed from Debian when root, started on ports of their own, stopped with the run."""
