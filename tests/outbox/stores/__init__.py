"""One contract for every store: each test cites the numbered duty of the port that it holds the store to."""
