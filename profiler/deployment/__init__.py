"""From a measured run to a recogniser that answers: put together, kept as a folder, asked."""
