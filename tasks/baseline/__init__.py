"""What a model must beat: means, biases, neighbours, factors."""
