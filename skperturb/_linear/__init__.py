"""Features, a loss and a penalty in, coefficients out."""
