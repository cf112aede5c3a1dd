"""Measured rows as plots and tables, beside what others have published."""
