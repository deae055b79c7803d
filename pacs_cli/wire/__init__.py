"""The DICOM upper layer and DIMSE as arithmetic on bytes: no socket, clock, thread or file."""
