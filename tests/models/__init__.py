"""The models of `transform/`, built and held against the shops' books."""
