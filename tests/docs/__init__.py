"""Every snippet of the docs runs: Python blocks in order, page by page, each page as a program of its own."""
