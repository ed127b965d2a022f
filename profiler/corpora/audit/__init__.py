"""What is wrong with a corpus, and what that does to which aspect."""
