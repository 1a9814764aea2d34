"""Everything made of tensors that more than one room needs."""
