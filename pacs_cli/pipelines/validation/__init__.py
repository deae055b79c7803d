"""Validation of DICOM files: rules as data, and the checks that find what breaks them."""
