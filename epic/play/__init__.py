"""The play: Prime Day 2024 on the sample company, over HTTP as people would do it."""
