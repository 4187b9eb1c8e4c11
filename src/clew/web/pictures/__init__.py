"""Pictures as plain geometry: numbers in, frozen values with places and paths out; templates draw them as SVG."""
