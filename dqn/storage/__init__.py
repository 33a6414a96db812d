"""What is on disk: a folder of results, written whole or not at all, and read without a lock."""
