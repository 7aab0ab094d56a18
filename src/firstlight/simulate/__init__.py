"""Invented nights with known truth: for tests, benchmarks and the demonstration."""
