"""Budgets and rate limits: who may still spend or send what."""
