"""pacs: the DICOM command-line suite over one small engine."""

__version__ = "0.1.0"

#: Implementation class UID and version name sent in every association and written into every
#: file this package makes (PS3.7 D.3.3.2). The UID is derived from a random UUID (PS3.5 B.2),
#: so it needs no registered root and collides with nobody.
IMPLEMENTATION_CLASS_UID = "2.25.161678088527379319554938443488237669886"
IMPLEMENTATION_VERSION_NAME = "PACS_CLI_" + __version__.replace(".", "")
