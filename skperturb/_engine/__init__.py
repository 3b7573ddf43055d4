"""A law and scores in, probabilities and derivatives out."""
