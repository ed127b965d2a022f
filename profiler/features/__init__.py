"""Hidden states of clips: made once, kept on disk, read again."""
