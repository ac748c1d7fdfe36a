"""Annotated photographs at the working scale, and the tiles that training draws from them."""
