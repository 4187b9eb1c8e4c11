"""What all tests of this repository share, those of clew-sdk included."""

pytest_plugins = [
    "pytester",
    "tests.services.fixtures",
    "tests.unrun",
    "tests.surroundings",
    "tests.longest_first",
    "tests.last_words",
]
