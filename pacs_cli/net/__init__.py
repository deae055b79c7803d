"""The only sockets: one channel per association and one listener."""
