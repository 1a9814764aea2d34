"""Classical recommenders to compare with: means, biases, neighbours, factors."""
