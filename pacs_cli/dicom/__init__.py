"""DICOM data sets and files as bytes: reading, probing, headers, names of things."""
