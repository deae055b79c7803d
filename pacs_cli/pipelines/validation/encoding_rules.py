"""Rules of files, elements, values and text: PS3.10, PS3.5 and PS3.6, section by section."""

from __future__ import annotations

from pacs_cli.pipelines.validation.rule import Rule, Severity

_E, _W = Severity.ERROR, Severity.WARNING

ENCODING_RULES: tuple[Rule, ...] = (
    Rule(
        "part10-not-dicom",
        _E,
        "PS3.10 7.1",
        "The file is not DICOM",
        "There is neither the prefix DICM nor anything that could be the first element of a "
        "data set. Inside a folder such files are counted and passed over; a file that was "
        "named is reported.",
    ),
    Rule(
        "part10-unreadable",
        _E,
        "PS3.10 7.1",
        "The file cannot be read",
        "It does not exist, may not be read, is empty or is no regular file.",
    ),
    Rule(
        "part10-prefix",
        _E,
        "PS3.10 7.1",
        "No preamble and prefix",
        "A DICOM file begins with 128 bytes of preamble and DICM. A bare data set is "
        "understood by many readers, and by as many not.",
    ),
    Rule(
        "part10-meta-encoding",
        _E,
        "PS3.10 7.1",
        "File meta is not Explicit VR Little Endian",
        "The file meta information is always Explicit VR Little Endian, whatever the transfer"
        " syntax of the data set.",
    ),
    Rule(
        "part10-group-length",
        _E,
        "PS3.10 7.1",
        "Wrong or missing group length of the file meta",
        "(0002,0000) comes first and counts the bytes behind it up to the data set. Readers "
        "that believe it begin to read the data set at the wrong byte.",
    ),
    Rule(
        "part10-meta-missing",
        _E,
        "PS3.10 table 7.1-1",
        "An element of the file meta is missing or empty",
        "Media Storage SOP Class and Instance UID, Transfer Syntax UID, Implementation Class "
        "UID and File Meta Information Version are of type 1.",
    ),
    Rule(
        "part10-meta-version",
        _E,
        "PS3.10 table 7.1-1",
        "File Meta Information Version is not 00 01",
        "The version of the file meta that the standard describes is written 00H 01H; its "
        "first bit set is what readers test.",
    ),
    Rule(
        "part10-meta-mismatch",
        _E,
        "PS3.10 table 7.1-1",
        "The file meta names another object than the data set",
        "Media Storage SOP Class and Instance UID are those of the data set; who reads only "
        "the file meta files the object under a wrong name.",
    ),
    Rule(
        "part10-transfer-syntax",
        _W,
        "PS3.5 10",
        "The transfer syntax is not one of the standard",
        "It is private, misspelt or newer than the registry. The data set is read as Explicit"
        " VR Little Endian.",
    ),
    Rule(
        "data-truncated",
        _E,
        "PS3.5 7.1",
        "The data set ends early",
        "An element, item or fragment says that it is longer than what is left. What comes "
        "before is validated, and nothing is said of what may be missing.",
    ),
    Rule(
        "data-malformed",
        _E,
        "PS3.5 7.1",
        "The bytes are no data set",
        "A tag, an item or a delimiter stands where none can be, or the data set is not "
        "deflated though its transfer syntax says so. Validation ends there.",
    ),
    Rule(
        "data-limit",
        _E,
        "PS3.5 7.5",
        "More nesting, elements or inflated bytes than are validated",
        "Files made to exhaust a reader have sequences nested thousands deep, millions of "
        "elements, or inflate to a thousand times their size.",
    ),
    Rule(
        "data-encoding",
        _E,
        "PS3.5 A",
        "The data set is not encoded as its transfer syntax says",
        "Its first element has a VR where Implicit VR is declared, or none where Explicit VR is.",
    ),
    Rule(
        "element-order",
        _E,
        "PS3.5 7.1",
        "Elements are not in ascending order",
        "Readers stop at the first tag beyond the one they look for, and miss what comes late.",
    ),
    Rule(
        "element-duplicate",
        _E,
        "PS3.5 7.1",
        "An element occurs twice in a data set",
        "An element occurs at most once in a data set or item; readers differ in which of the"
        " two they take.",
    ),
    Rule(
        "element-odd-length",
        _E,
        "PS3.5 7.1.1",
        "The length of a value is odd",
        "Every value, item and fragment has an even length, padded where needed.",
    ),
    Rule(
        "element-vr",
        _E,
        "PS3.6 6",
        "The VR is not that of the dictionary",
        "The element has a VR in PS3.6, or a choice of VRs, and is written with another. "
        "Readers that go by the dictionary misread the value.",
    ),
    Rule(
        "element-vr-unknown",
        _E,
        "PS3.5 6.2",
        "The VR does not exist",
        "Two letters stand where the VR does, but PS3.5 has no such VR; how long its length "
        "is can only be guessed.",
    ),
    Rule(
        "element-vr-un",
        _W,
        "PS3.5 6.2.2",
        "A standard element is written as UN",
        "UN is for what the writer does not know. That the dictionary has it means that the "
        "writer's is old.",
    ),
    Rule(
        "element-vr-missing",
        _E,
        "PS3.5 7.1.2",
        "An element of an Explicit VR data set has no VR",
        "Each element of an Explicit VR data set has a VR; here the bytes are a length as in "
        "Implicit VR.",
    ),
    Rule(
        "element-vm",
        _E,
        "PS3.6 6",
        "The number of values is not allowed",
        "PS3.6 gives the number of values of each element, exactly, as a range, or as multiples.",
    ),
    Rule(
        "element-unknown",
        _W,
        "PS3.6 6",
        "The dictionary has no such element",
        "The group is even, so the element belongs to the standard, but PS3.6 as packaged has"
        " none. Elements of one's own belong into odd groups.",
    ),
    Rule(
        "element-group",
        _E,
        "PS3.5 7.1",
        "A group that no data set has",
        "Groups 0000, 0002, 0004 (but in a DICOMDIR) and 0006 are those of commands, file "
        "meta and directories.",
    ),
    Rule(
        "element-group-length",
        _W,
        "PS3.5 7.2",
        "Group length in the data set",
        "Group lengths are retired but in the file meta: many are wrong, and every change of "
        "a value makes one wrong.",
    ),
    Rule(
        "private-creator-missing",
        _E,
        "PS3.5 7.8.1",
        "A private element without a creator",
        "Elements (gggg,xxyy) of an odd group belong to the creator that stands in "
        "(gggg,00xx) of the same data set or item; without it nobody knows what they mean.",
    ),
    Rule(
        "private-creator-empty",
        _E,
        "PS3.5 7.8.1",
        "A private creator is empty",
        "The creator that reserves a block is a text of at least one character.",
    ),
    Rule(
        "private-group",
        _E,
        "PS3.5 7.8.1",
        "A private element in a group that may not have any",
        "Groups 0001, 0003, 0005, 0007 and FFFF are not for private elements.",
    ),
    Rule(
        "sequence-vr",
        _E,
        "PS3.5 6.2.2",
        "A sequence is hidden in UN",
        "A standard sequence is written as UN of undefined length; its items are then in "
        "Implicit VR.",
    ),
    Rule(
        "value-length",
        _E,
        "PS3.5 table 6.2-1",
        "A value is longer than its VR allows",
        "Each VR has a maximum length of a value in characters; a database or display made "
        "for it cuts the rest.",
    ),
    Rule(
        "value-size",
        _E,
        "PS3.5 table 6.2-1",
        "The length is no multiple of the size of its values",
        "Binary numbers have two, four or eight bytes each.",
    ),
    Rule(
        "value-characters",
        _E,
        "PS3.5 table 6.2-1",
        "A value has characters its VR does not allow",
        "CS has capital letters, digits, space and underscore; text has no control characters"
        " but those that PS3.5 names.",
    ),
    Rule(
        "value-number",
        _E,
        "PS3.5 table 6.2-1",
        "A value is not a number",
        "DS is a fixed or floating point number, IS a whole one of at most 32 bits, in the "
        "letters that PS3.5 allows and with spaces only around it.",
    ),
    Rule(
        "value-date",
        _E,
        "PS3.5 table 6.2-1",
        "A value is no date",
        "DA is YYYYMMDD, a day that exists; no separators.",
    ),
    Rule(
        "value-time",
        _E,
        "PS3.5 table 6.2-1",
        "A value is no time of day",
        "TM is HHMMSS.FFFFFF with parts left out from the right; hours to 23, minutes to 59, "
        "seconds to 60 (a leap second). No colons.",
    ),
    Rule(
        "value-datetime",
        _E,
        "PS3.5 table 6.2-1",
        "A value is no date and time",
        "DT is YYYYMMDDHHMMSS.FFFFFF&ZZXX with parts left out from the right, of a moment "
        "that exists.",
    ),
    Rule(
        "value-age",
        _E,
        "PS3.5 table 6.2-1",
        "A value is no age",
        "AS is three digits and D, W, M or Y.",
    ),
    Rule(
        "value-uid",
        _E,
        "PS3.5 9.1",
        "A value is no UID",
        "A UID has up to 64 digits and dots, components without leading zeros, and begins "
        "with 0, 1 or 2.",
    ),
    Rule(
        "value-padding",
        _E,
        "PS3.5 6.2",
        "A value is padded with the wrong byte",
        "UIDs are padded with one NUL, all text with space. NULs in text become part of the "
        "value, and a UID with a space behind it is another one.",
    ),
    Rule(
        "value-name",
        _E,
        "PS3.5 6.2.1.1",
        "A person name has too many parts",
        "A name has up to three groups (alphabetic, ideographic, phonetic), each of up to "
        "five components of together 64 characters.",
    ),
    Rule(
        "charset-unknown",
        _E,
        "PS3.3 C.12.1.1.2",
        "Specific Character Set has a term that is none",
        "Only the defined terms can be decoded; readers guess Latin-1, or fail.",
    ),
    Rule(
        "charset-undeclared",
        _E,
        "PS3.3 C.12.1.1.2",
        "Text beyond ASCII without a declared character set",
        "Without Specific Character Set (0008,0005) text is in the default repertoire, ISO-IR 6.",
    ),
    Rule(
        "charset-undecodable",
        _E,
        "PS3.5 6.1",
        "Text cannot be decoded with the declared character set",
        "The bytes are none of the declared character set, or switch with an escape sequence "
        "to one that is not declared.",
    ),
)
