"""Levers found in recorded calls: what could be done otherwise, where exactly, and on what evidence."""
