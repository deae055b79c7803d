"""Rules of what an object holds: PS3.3 and PS3.5 A, section by section."""

from __future__ import annotations

from pacs_cli.pipelines.validation.rule import Rule, Severity

_E, _W = Severity.ERROR, Severity.WARNING

CONTENT_RULES: tuple[Rule, ...] = (
    Rule(
        "iod-no-sop-class",
        _E,
        "PS3.3 C.12.1",
        "The data set does not say what it is",
        "SOP Class UID (0008,0016) is of type 1. Without it nothing can be said about modules.",
    ),
    Rule(
        "iod-unknown-sop-class",
        _W,
        "PS3.4 B.5",
        "The SOP class is not in the table",
        "It is private, retired or newer than the table; modules are not validated.",
    ),
    Rule(
        "iod-module-missing",
        _E,
        "PS3.3 A.1.3",
        "A mandatory module is missing",
        "None of the attributes that the module demands is there.",
    ),
    Rule(
        "iod-type-1-missing",
        _E,
        "PS3.5 7.4.1",
        "A type 1 attribute is missing",
        "The attribute is demanded by a mandatory module or in an item that is there.",
    ),
    Rule(
        "iod-type-1-empty",
        _E,
        "PS3.5 7.4.1",
        "A type 1 attribute is empty",
        "Type 1 and present type 1C attributes have a value; a sequence has an item.",
    ),
    Rule(
        "iod-type-2-missing",
        _E,
        "PS3.5 7.4.3",
        "A type 2 attribute is missing",
        "The attribute has to be there, if only empty, to say that the value is not known.",
    ),
    Rule(
        "iod-type-1c-missing",
        _E,
        "PS3.5 7.4.2",
        "A type 1C attribute is missing where its condition holds",
        "The condition of PS3.3 can be evaluated from this file, and holds.",
    ),
    Rule(
        "iod-type-2c-missing",
        _E,
        "PS3.5 7.4.4",
        "A type 2C attribute is missing where its condition holds",
        "The condition of PS3.3 can be evaluated from this file, and holds.",
    ),
    Rule(
        "iod-enumerated-value",
        _E,
        "PS3.3 C",
        "A value is none of the enumerated ones",
        "PS3.3 lists every value that the attribute can have.",
    ),
    Rule(
        "iod-optional-module",
        _W,
        "PS3.3 A.1.3",
        "A module that is not mandatory is there in part",
        "An attribute that only this module has is there, so the module is, but one that the "
        "module demands is not.",
    ),
    Rule(
        "image-bits",
        _E,
        "PS3.3 C.7.6.3.1",
        "Bits Allocated, Bits Stored and High Bit do not fit",
        "Bits Stored is at most Bits Allocated, High Bit one less than Bits Stored, and Bits "
        "Allocated 1 or a multiple of 8.",
    ),
    Rule(
        "image-samples",
        _E,
        "PS3.3 C.7.6.3.1",
        "Samples per Pixel do not fit the photometric interpretation",
        "MONOCHROME1, MONOCHROME2 and PALETTE COLOR have one sample, RGB and the YBR ones three.",
    ),
    Rule(
        "image-size",
        _E,
        "PS3.3 C.7.6.3",
        "Rows, Columns or Number of Frames is zero",
        "An image has at least one row, column and frame.",
    ),
    Rule(
        "image-palette",
        _E,
        "PS3.3 C.7.6.3.1.5",
        "A palette's data have another length than its descriptor says",
        "The descriptor gives the number of entries (0 means 65,536) and the bits of each.",
    ),
    Rule(
        "image-orientation",
        _E,
        "PS3.3 C.7.6.2.1.1",
        "The direction cosines are not orthogonal unit vectors",
        "Image Orientation (Patient) has the directions of the rows and columns; others shear"
        " the volume.",
    ),
    Rule(
        "image-spacing",
        _E,
        "PS3.3 C.7.6.2.1",
        "A spacing that is not positive",
        "Pixel Spacing is the distance of two pixels in mm, greater than zero.",
    ),
    Rule(
        "image-window",
        _E,
        "PS3.3 C.11.2.1.2",
        "Window Center and Width do not fit",
        "There are as many centers as widths; a width is at least 1, with the VOI LUT "
        "function LINEAR_EXACT or SIGMOID greater than 0.",
    ),
    Rule(
        "image-photometric",
        _E,
        "PS3.5 8.2",
        "The photometric interpretation does not go with the transfer syntax",
        "YBR_ICT and YBR_RCT are of JPEG 2000 only, YBR_PARTIAL_420 of MPEG; Planar "
        "Configuration is 0 where the transfer syntax is of the JPEG family.",
    ),
    Rule(
        "pixels-length",
        _E,
        "PS3.5 8.1.1",
        "Pixel Data has another length than the image",
        "Rows, columns, samples, bits and frames give the length in bytes, with one of "
        "padding where it is odd.",
    ),
    Rule(
        "pixels-vr",
        _E,
        "PS3.5 A.1 to A.4",
        "Pixel Data has a VR that its encoding does not allow",
        "OW in Implicit VR and above 8 bits, OB when encapsulated, OB or OW else.",
    ),
    Rule(
        "pixels-encapsulation",
        _E,
        "PS3.5 A.4",
        "Pixel Data is encapsulated or not against its transfer syntax",
        "A compressed transfer syntax has fragments, every other a value with a length.",
    ),
    Rule(
        "pixels-fragments",
        _E,
        "PS3.5 A.4",
        "The fragments of Pixel Data are wrong",
        "There is an item for the offset table, at least one fragment for each frame, none empty.",
    ),
    Rule(
        "pixels-offset-table",
        _E,
        "PS3.5 A.4",
        "The basic offset table does not point to the frames",
        "It is empty, or has the offset of the first fragment of each frame, the first being "
        "0, each pointing to the start of an item.",
    ),
    Rule(
        "pixels-extended-offset-table",
        _E,
        "PS3.3 C.7.6.3.1.8",
        "The extended offset table does not point to the frames",
        "It has 8 bytes for each frame, points to the start of an item, each frame in one "
        "fragment, beside an empty basic offset table and with lengths.",
    ),
    Rule(
        "pixels-codestream",
        _E,
        "PS3.5 8.2",
        "The compressed bytes are none of the transfer syntax",
        "JPEG, JPEG-LS, JPEG 2000, HTJ2K and RLE each begin in their own way; the process in "
        "the frame header is that of the transfer syntax.",
    ),
    Rule(
        "pixels-codestream-end",
        _W,
        "PS3.5 A.4",
        "A frame does not end as its codec's frames do",
        "JPEG and JPEG 2000 end with a marker; without it the frame was probably cut.",
    ),
    Rule(
        "pixels-codestream-size",
        _E,
        "PS3.5 8.2",
        "The compressed frame has another size than the image",
        "Rows, columns, samples and bits of the codec's own header are those of the data set.",
    ),
    Rule(
        "frames-count",
        _E,
        "PS3.3 C.7.6.16",
        "The functional groups do not fit the frames",
        "Per-Frame Functional Groups Sequence has one item for each frame, Shared Functional "
        "Groups Sequence one item.",
    ),
    Rule(
        "frames-macro-missing",
        _E,
        "PS3.3 C.7.6.16",
        "A functional group is missing",
        "The frame content of each frame is in its own item; a functional group that is per "
        "frame at all is in the item of every frame; one that is mandatory in the IOD is there.",
    ),
    Rule(
        "frames-macro-twice",
        _E,
        "PS3.3 C.7.6.16",
        "A functional group is shared and per frame",
        "A functional group is in the shared item or in those of the frames, never in both.",
    ),
    Rule(
        "frames-dimension",
        _E,
        "PS3.3 C.7.6.17",
        "Dimension Index Values do not fit the dimensions",
        "Each frame has as many index values as Dimension Index Sequence has items, all at "
        "least 1.",
    ),
    Rule(
        "directory-module",
        _E,
        "PS3.3 F.3.2.2",
        "A DICOMDIR lacks what its module demands",
        "File-set ID and the sequence of records have to be there, the offsets of the first and "
        "the last record and the consistency flag have a value.",
    ),
    Rule(
        "directory-record",
        _E,
        "PS3.3 F.3.2.2",
        "A directory record lacks what every record has",
        "It has offsets, a flag and a type; one that refers to a file has its SOP class, instance "
        "and transfer syntax.",
    ),
    Rule(
        "directory-record-type",
        _E,
        "PS3.3 F.5",
        "A directory record is of no type of the standard",
        "The types are listed in PS3.3 F.4 and F.5; others are of type PRIVATE, with a UID.",
    ),
    Rule(
        "directory-record-key",
        _E,
        "PS3.3 F.5",
        "A directory record lacks a key of its type",
        "Each type of record has keys of type 1, which have a value, and of type 2.",
    ),
    Rule(
        "study-patient",
        _E,
        "PS3.3 A.1.2",
        "One study of two patients",
        "Files with the same Study Instance UID have different patient IDs, or names.",
    ),
    Rule(
        "series-study",
        _E,
        "PS3.3 A.1.2",
        "One series in two studies",
        "Files with the same Series Instance UID have different Study Instance UIDs.",
    ),
    Rule(
        "series-modality",
        _E,
        "PS3.3 C.7.3.1",
        "One series of two modalities",
        "All objects of a series have the same Modality (0008,0060).",
    ),
    Rule(
        "series-frame-of-reference",
        _E,
        "PS3.3 C.7.4.1",
        "One series with two frames of reference",
        "The images of a series that have a frame of reference have the same.",
    ),
    Rule(
        "instance-duplicate",
        _E,
        "PS3.5 9",
        "Two files with the same SOP Instance UID",
        "Each object has a UID of its own; an archive keeps one of the two.",
    ),
    Rule(
        "reference-missing",
        _W,
        "PS3.3 C.12.1",
        "A referenced object of a study that is here is missing",
        "A file refers to an instance of its own study that is not among the files.",
    ),
)
