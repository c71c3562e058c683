"""What backstack costs: asv suites, and the bounds that CI holds them to."""
