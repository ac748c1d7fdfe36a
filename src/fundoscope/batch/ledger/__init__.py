"""The ledger of a run: what is to be read, what was read, and the folder that keeps both."""
