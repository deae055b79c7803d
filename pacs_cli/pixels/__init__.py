"""Pixels: frames out of a data set, codecs, and the change of transfer syntax."""
