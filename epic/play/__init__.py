"""Owns the play: Prime Day 2024 on the sample company, done over HTTP as people would."""
