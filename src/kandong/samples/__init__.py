"""Pictures to try Kandong with; each is made up, and drawn by a script of the repository."""
