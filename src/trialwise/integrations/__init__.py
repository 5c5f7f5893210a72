"""The only door to other programs: what needs an extra is imported here, and nowhere else."""
