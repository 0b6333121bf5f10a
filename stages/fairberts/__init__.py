"""fairBERTs: sensitive information erased from sentence states by a learned perturbation."""
