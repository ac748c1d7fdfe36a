"""Monitoring in use: are grades, failures and photographs still those of a reference?"""
