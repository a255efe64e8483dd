"""KEEP AND SHOW: the run's database, the files made from it, and the report."""
