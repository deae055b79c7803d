"""PS3.15 tables E.1-1, E.3.4-1 and E.3.10-1, and CID 7050 of PS3.16.

Written by tools/make_deid_profile.py from tools/data, which says where the data is from.
"""

from __future__ import annotations

from typing import NamedTuple

#: The edition of table E.1-1, as it goes into DeidentificationMethod and reports.
EDITION = "2024e+2026c"

#: Of each table.
SOURCES = {
    "E.1-1": "PS3.15 2024e; 35 rows of 2026c with their Basic code only",
    "E.3.4-1": "PS3.15 2023b Table E.3.4-1",
    "E.3.10-1": "PS3.15 2023b Table E.3.10-1",
    "CID 7050": "PS3.16 CID 7050",
}


class Row(NamedTuple):
    """A row of table E.1-1: the code of the Basic Profile, and those of the options that have one.

    options  of uids, device, institution, patient, full_dates, modified_dates, clean_desc,
             clean_struct, clean_graph; K (keep) or C (clean)
    """

    basic: str
    options: dict[str, str]


class Concept(NamedTuple):
    """A row of table E.3.4-1: a concept of structured content by scheme, value and value type."""

    scheme: str
    value: str
    value_type: str
    basic: str
    options: dict[str, str]


def _pairs(words: list[str]) -> dict[str, str]:
    return dict(word.split("=") for word in words)


def _rows(text: str) -> dict[str, Row]:
    rows = (line.split() for line in text.split("\n") if line)
    return {tag: Row(basic, _pairs(options)) for tag, basic, *options in rows}


def _by_tag(text: str) -> dict[int, Row]:
    return {int(tag, 16): row for tag, row in _rows(text).items()}


def _concepts(text: str) -> tuple[Concept, ...]:
    rows = (line.split("|") for line in text.split("\n") if line)
    return tuple(Concept(a, b, c, d, _pairs(rest.split())) for a, b, c, d, rest in rows)


def _safe(text: str) -> dict[tuple[int, int, str], str]:
    """Group, the lower half of the element, creator -> VR ("" where the table has none)."""
    rows = (line.split(" ", 3) for line in text.split("\n") if line)
    return {
        (int(group, 16), int(offset, 16), creator): vr.strip("-")
        for group, offset, vr, creator in rows
    }


#: Code value -> meaning, scheme DCM.
METHODS = {
    "113100": "Basic Application Confidentiality Profile",
    "113101": "Clean Pixel Data Option",
    "113102": "Clean Recognizable Visual Features Option",
    "113103": "Clean Graphics Option",
    "113104": "Clean Structured Content Option",
    "113105": "Clean Descriptors Option",
    "113106": "Retain Longitudinal Temporal Information Full Dates Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
    "113111": "Retain Safe Private Option",
    "113112": "Retain Institution Identity Option",
}

#: Tag -> row of table E.1-1.
TABLE = _by_tag("""
00001000 X uids=K
00001001 U uids=K
00020003 U uids=K
00041511 U uids=K
00080012 X/D full_dates=K modified_dates=C
00080013 X/Z/D full_dates=K modified_dates=C
00080014 U uids=K
00080015 X full_dates=K modified_dates=C
00080017 U uids=K
00080018 U uids=K
00080019 U uids=K
00080020 Z full_dates=K modified_dates=C
00080021 X/D full_dates=K modified_dates=C
00080022 X/Z full_dates=K modified_dates=C
00080023 Z/D full_dates=K modified_dates=C
00080024 X full_dates=K modified_dates=C
00080025 X full_dates=K modified_dates=C
0008002A X/Z/D full_dates=K modified_dates=C
00080030 Z full_dates=K modified_dates=C
00080031 X/D full_dates=K modified_dates=C
00080032 X/Z full_dates=K modified_dates=C
00080033 Z/D full_dates=K modified_dates=C
00080034 X full_dates=K modified_dates=C
00080035 X full_dates=K modified_dates=C
00080050 Z
00080054 X device=C
00080055 X device=C
00080058 U uids=K
00080080 X/Z/D institution=K
00080081 X institution=K
00080082 X/Z/D institution=K
00080090 Z
00080092 X
00080094 X
00080096 X
0008009C Z
0008009D X
00080106 D full_dates=K modified_dates=C
00080107 D full_dates=K modified_dates=C
00080201 X full_dates=K modified_dates=C
00081000 X device=C
00081010 X/Z/D device=K
00081030 X clean_desc=C
0008103E X clean_desc=C
00081040 X institution=K
00081041 X institution=K
00081048 X
00081049 X
00081050 X
00081052 X
00081060 X
00081062 X
00081070 X/Z/D
00081072 X/D
00081080 X clean_desc=C
00081084 X clean_desc=C
00081088 X clean_desc=C
00081110 X/Z uids=K
00081111 X/Z/D uids=K
00081120 X uids=K
00081140 X/Z/U* uids=K
00081155 U uids=K
00081195 U uids=K
00082111 X clean_desc=C
00082112 X/Z/U* uids=K
00083010 U uids=K
00084000 X clean_desc=C
00100010 Z
00100020 Z/D
00100021 X
00100030 Z
00100032 X
00100040 Z patient=K
00100050 X
00100101 X
00100102 X
00101000 X
00101001 X
00101002 X
00101005 X
00101010 X patient=K
00101020 X patient=K
00101030 X patient=K
00101040 X
00101050 X
00101060 X
00101080 X
00101081 X
00101090 X
00101100 X
00102000 X clean_desc=C
00102110 X patient=C clean_desc=C
00102150 X
00102152 X
00102154 X
00102155 X
00102160 X patient=K
00102180 X clean_desc=C
001021A0 X patient=K
001021B0 X clean_desc=C
001021C0 X patient=K
001021D0 X full_dates=K modified_dates=C
001021F0 X
00102203 X/Z patient=K
00102297 X
00102299 X
00104000 X clean_desc=C
00120010 D
00120020 D
00120021 Z
00120022 X
00120023 X
00120030 Z institution=K
00120031 Z institution=K
00120032 X
00120040 D
00120041 X
00120042 D
00120043 X
00120050 Z
00120051 X clean_desc=C
00120055 X
00120060 Z institution=K
00120071 X
00120072 X clean_desc=C
00120073 X
00120081 D institution=K
00120082 X
00120086 X full_dates=K modified_dates=C
00120087 X full_dates=K modified_dates=C
0014407C X device=K full_dates=K modified_dates=C
0014407E X device=K full_dates=K modified_dates=C
0016002B X clean_desc=C
0016004B X clean_desc=C
0016004D X
0016004E X device=K
0016004F X device=K
00160050 X device=K
00160051 X device=K
00160070 X
00160071 X
00160072 X
00160073 X
00160074 X
00160075 X
00160076 X
00160077 X
00160078 X
00160079 X
0016007A X
0016007B X
0016007C X
0016007D X
0016007E X
0016007F X
00160080 X
00160081 X
00160082 X
00160083 X
00160084 X
00160085 X
00160086 X
00160087 X
00160088 X
00160089 X
0016008A X
0016008B X
0016008C X
0016008D X full_dates=K modified_dates=C
0016008E X
00180010 Z/D clean_desc=C
00180027 X full_dates=K modified_dates=C
00180035 X full_dates=K modified_dates=C
00181000 X/Z/D device=K
00181002 U uids=K device=K
00181004 X device=K
00181005 X device=K
00181007 X device=K
00181008 X device=K
00181009 X device=K
0018100A X device=K
0018100B U uids=K device=K
00181012 X full_dates=K modified_dates=C
00181014 X full_dates=K modified_dates=C
00181030 X/D clean_desc=C
00181042 X full_dates=K modified_dates=C
00181043 X full_dates=K modified_dates=C
00181072 X full_dates=K modified_dates=C
00181073 X full_dates=K modified_dates=C
00181078 X full_dates=K modified_dates=C
00181079 X full_dates=K modified_dates=C
001811BB D clean_desc=C
00181200 X device=K full_dates=K modified_dates=C
00181201 X device=K full_dates=K modified_dates=C
00181202 X device=K full_dates=K modified_dates=C
00181203 Z device=K full_dates=K modified_dates=C
00181204 X device=K full_dates=K modified_dates=C
00181205 X device=K full_dates=K modified_dates=C
00181400 X/D clean_desc=C
00182042 U uids=K
00184000 X clean_desc=C
00185011 X device=K
0018700A X/D device=K
0018700C X/D device=K full_dates=K modified_dates=C
0018700E X/D device=K full_dates=K modified_dates=C
00189074 D full_dates=K modified_dates=C
00189151 D full_dates=K modified_dates=C
00189185 X clean_desc=C
00189367 D device=K
00189369 D full_dates=K modified_dates=C
0018936A D full_dates=K modified_dates=C
00189371 D device=K
00189373 X device=K
0018937B X clean_desc=C
0018937F X clean_desc=C
00189424 X clean_desc=C
00189516 X/D full_dates=K modified_dates=C
00189517 X/D full_dates=K modified_dates=C
00189623 D full_dates=K modified_dates=C
00189701 D full_dates=K modified_dates=C
00189804 D full_dates=K modified_dates=C
00189919 Z/D full_dates=K modified_dates=C
00189937 X clean_desc=C
0018A002 X full_dates=K modified_dates=C
0018A003 X clean_desc=C
0020000D U uids=K
0020000E U uids=K
00200010 Z
00200027 X clean_desc=C
00200052 U uids=K
00200200 U uids=K
00203401 X device=K
00203403 X full_dates=K modified_dates=C
00203405 X full_dates=K modified_dates=C
00203406 X
00204000 X clean_desc=C
00209158 X clean_desc=C
00209161 U uids=K
00209164 U uids=K
00281199 U uids=K
00281214 U uids=K
00284000 X
00320012 X
00320032 X full_dates=K modified_dates=C
00320033 X full_dates=K modified_dates=C
00320034 X full_dates=K modified_dates=C
00320035 X full_dates=K modified_dates=C
00321000 X full_dates=K modified_dates=C
00321001 X full_dates=K modified_dates=C
00321010 X full_dates=K modified_dates=C
00321011 X full_dates=K modified_dates=C
00321020 X device=K
00321021 X device=C
00321030 X clean_desc=C
00321032 X
00321033 X
00321040 X full_dates=K modified_dates=C
00321041 X full_dates=K modified_dates=C
00321050 X full_dates=K modified_dates=C
00321051 X full_dates=K modified_dates=C
00321060 X/Z clean_desc=C
00321066 X clean_desc=C
00321067 X clean_desc=C
00321070 X clean_desc=C
00324000 X clean_desc=C
00340001 D
00340002 D
00340005 D
00340007 D full_dates=K modified_dates=C
00380004 X
00380010 X
00380011 X
00380014 X
0038001A X full_dates=K modified_dates=C
0038001B X full_dates=K modified_dates=C
0038001C X full_dates=K modified_dates=C
0038001D X full_dates=K modified_dates=C
0038001E X
00380020 X full_dates=K modified_dates=C
00380021 X full_dates=K modified_dates=C
00380030 X full_dates=K modified_dates=C
00380032 X full_dates=K modified_dates=C
00380040 X clean_desc=C
00380050 X patient=C
00380060 X
00380061 X
00380062 X clean_desc=C
00380064 X
00380300 X
00380400 X
00380500 X patient=C clean_desc=C
00384000 X clean_desc=C
003A0310 U uids=K
003A0314 D full_dates=K modified_dates=C
003A0329 X clean_desc=C
003A032B X clean_desc=C
00400001 X device=C
00400002 X full_dates=K modified_dates=C
00400003 X full_dates=K modified_dates=C
00400004 X full_dates=K modified_dates=C
00400005 X full_dates=K modified_dates=C
00400006 X
00400007 X clean_desc=C
00400009 X
0040000B X
00400010 X device=K
00400011 X device=K
00400012 X patient=C
00400241 X device=C
00400242 X device=K
00400243 X
00400244 X full_dates=K modified_dates=C
00400245 X full_dates=K modified_dates=C
00400250 X full_dates=K modified_dates=C
00400251 X full_dates=K modified_dates=C
00400253 X
00400254 X clean_desc=C
00400275 X clean_desc=C
00400280 X clean_desc=C
00400310 X clean_desc=C
0040050A X
00400512 D
00400513 Z
0040051A X clean_desc=C
00400551 D
00400554 U uids=K
00400555 X/Z clean_struct=C
00400562 Z
00400600 X clean_desc=C
00400602 X clean_desc=C
00400610 Z clean_struct=C
004006FA X
00401001 X
00401002 X clean_desc=C
00401004 X
00401005 X
0040100A X clean_desc=C
00401010 X
00401011 X
00401101 D
00401102 X
00401103 X
00401104 X
00401400 X clean_desc=C
00402001 X clean_desc=C
00402004 X full_dates=K modified_dates=C
00402005 X full_dates=K modified_dates=C
00402008 X
00402009 X
00402010 X
00402011 X
00402016 Z
00402017 Z
00402400 X clean_desc=C
00403001 X
00404005 X full_dates=K modified_dates=C
00404008 X full_dates=K modified_dates=C
00404010 X full_dates=K modified_dates=C
00404011 X full_dates=K modified_dates=C
00404023 U uids=K
00404025 X device=K
00404027 X device=K
00404028 X device=K
00404030 X device=K
00404034 X
00404035 X
00404036 X
00404037 X
00404050 X full_dates=K modified_dates=C
00404051 X full_dates=K modified_dates=C
00404052 X full_dates=K modified_dates=C
0040A023 X full_dates=K modified_dates=C
0040A024 X full_dates=K modified_dates=C
0040A027 D
0040A030 D full_dates=K modified_dates=C
0040A032 X/D full_dates=K modified_dates=C
0040A033 X full_dates=K modified_dates=C
0040A073 D
0040A075 D
0040A078 X
0040A07A X
0040A07C X
0040A082 Z full_dates=K modified_dates=C
0040A088 Z
0040A110 X full_dates=K modified_dates=C
0040A112 X full_dates=K modified_dates=C
0040A120 D full_dates=K modified_dates=C
0040A121 D full_dates=K modified_dates=C
0040A122 D full_dates=K modified_dates=C
0040A123 D
0040A124 U
0040A13A D full_dates=K modified_dates=C
0040A171 U uids=K
0040A172 U uids=K
0040A192 X full_dates=K modified_dates=C
0040A193 X full_dates=K modified_dates=C
0040A307 X
0040A352 X
0040A353 X
0040A354 X
0040A358 X
0040A402 U uids=K
0040A730 D clean_struct=C
0040DB06 X full_dates=K modified_dates=C
0040DB07 X full_dates=K modified_dates=C
0040DB0C U uids=K
0040DB0D U uids=K
0040E004 X full_dates=K modified_dates=C
00420011 D
00440004 X full_dates=K modified_dates=C
0044000B X full_dates=K modified_dates=C
00440010 X full_dates=K modified_dates=C
00440104 D full_dates=K modified_dates=C
00440105 X full_dates=K modified_dates=C
0050001B X
00500020 X device=K
00500021 X clean_desc=C
00620021 U uids=K
00640003 U uids=K
00686226 D full_dates=K modified_dates=C
00686270 D full_dates=K modified_dates=C
006A0003 D uids=K
006A0005 D clean_desc=C
006A0006 X clean_desc=C
00700001 D clean_graph=C
00700082 X full_dates=K modified_dates=C
00700083 X full_dates=K modified_dates=C
00700084 Z/D
00700086 X
0070031A U uids=K
00701101 U uids=K
00701102 U uids=K
0072000A D full_dates=K modified_dates=C
0072005E D device=C
0072005F D patient=K
00720061 D full_dates=K modified_dates=C
00720063 D full_dates=K modified_dates=C
00720065 D
00720066 D clean_desc=C
00720068 D clean_desc=C
0072006A D
0072006B D full_dates=K modified_dates=C
0072006C D clean_desc=C
0072006D D
0072006E D clean_desc=C
00720070 D clean_desc=C
00720071 D
00741234 X device=C
00741236 X device=C
00880140 U uids=K
00880200 X
00880904 X
00880906 X
00880910 X
00880912 X
01000420 X full_dates=K modified_dates=C
04000100 U
04000105 D full_dates=K modified_dates=C
04000115 D
04000310 X full_dates=K modified_dates=C
04000402 X
04000403 X
04000404 X
04000550 X
04000551 X
04000552 X
04000561 X
04000562 D full_dates=K modified_dates=C
04000563 D device=K
04000564 Z institution=K
04000565 D clean_desc=C
04000600 X
20300020 X
21000040 X full_dates=K modified_dates=C
21000050 X full_dates=K modified_dates=C
21000070 X device=C
21000140 D device=C
22000002 X/Z clean_desc=C
22000005 X/Z
30020121 X clean_desc=C
30020123 X clean_desc=C
30060002 D clean_desc=C
30060004 X clean_desc=C
30060006 X clean_desc=C
30060008 Z full_dates=K modified_dates=C
30060009 Z full_dates=K modified_dates=C
30060024 U uids=K
30060026 Z clean_desc=C
30060028 X clean_desc=C
3006002D X full_dates=K modified_dates=C
3006002E X full_dates=K modified_dates=C
30060038 X clean_desc=C
3006004D X
3006004E X
30060085 X clean_desc=C
30060088 X clean_desc=C
300600A6 Z
300600C2 U uids=K
30080024 D full_dates=K modified_dates=C
30080025 D full_dates=K modified_dates=C
30080054 X/D full_dates=K modified_dates=C
30080056 X/D full_dates=K modified_dates=C
30080105 X/Z device=K
30080162 D full_dates=K modified_dates=C
30080164 D full_dates=K modified_dates=C
30080166 D full_dates=K modified_dates=C
30080168 D full_dates=K modified_dates=C
30080250 X/D full_dates=K modified_dates=C
30080251 X/D full_dates=K modified_dates=C
300A0002 D clean_desc=C
300A0003 X clean_desc=C
300A0004 X clean_desc=C
300A0006 X/D full_dates=K modified_dates=C
300A0007 X/D full_dates=K modified_dates=C
300A000B X clean_desc=C
300A000E X clean_desc=C
300A0013 U uids=K
300A0016 X clean_desc=C
300A0072 X clean_desc=C
300A0083 U uids=K
300A00B2 X/Z device=K
300A00C3 X clean_desc=C
300A00DD X clean_desc=C
300A0196 X clean_desc=C
300A01A6 X clean_desc=C
300A01B2 X clean_desc=C
300A0216 X device=K
300A022C D full_dates=K modified_dates=C
300A022E D full_dates=K modified_dates=C
300A02EB X clean_desc=C
300A0608 D clean_desc=C
300A0609 U uids=K
300A0611 Z
300A0615 Z
300A0619 D clean_desc=C
300A0623 D clean_desc=C
300A062A D clean_desc=C
300A0650 U uids=K
300A0676 X clean_desc=C
300A067C D clean_desc=C
300A067D Z clean_desc=C
300A0700 U uids=K
300A0734 D clean_desc=C
300A0736 D full_dates=K modified_dates=C
300A073A D full_dates=K modified_dates=C
300A0741 D full_dates=K modified_dates=C
300A0742 D clean_desc=C
300A0760 D full_dates=K modified_dates=C
300A0783 D clean_desc=C
300A0785 U uids=K
300A078E X clean_desc=C
300A0792 X clean_desc=C
300A0794 X clean_desc=C
300A079A X clean_desc=C
300C0113 X clean_desc=C
300C0127 D device=K full_dates=K modified_dates=C
300E0004 Z full_dates=K modified_dates=C
300E0005 Z full_dates=K modified_dates=C
300E0008 X/Z
30100006 U uids=K
3010000B U uids=K
3010000F Z clean_desc=C
30100013 U uids=K
30100015 U uids=K
30100017 Z clean_desc=C
3010001B Z
3010002D D device=K
30100031 U uids=K
30100033 D clean_desc=C
30100034 D clean_desc=C
30100035 D clean_desc=C
30100036 X clean_desc=C
30100037 X clean_desc=C
30100038 D clean_desc=C
3010003B U uids=K
30100043 Z device=K
3010004C X/D full_dates=K modified_dates=C
3010004D X/D full_dates=K modified_dates=C
30100054 D clean_desc=C
30100056 X/D clean_desc=C
3010005A Z clean_desc=C
3010005C Z clean_desc=C
30100061 X clean_desc=C
3010006E U uids=K
3010006F U uids=K
30100077 X/D clean_desc=C
3010007A Z clean_desc=C
3010007B Z clean_desc=C
3010007F Z clean_desc=C
30100081 Z clean_desc=C
30100085 X full_dates=K modified_dates=C
40000010 X
40004000 X
40080040 X
40080042 X
40080100 X full_dates=K modified_dates=C
40080101 X full_dates=K modified_dates=C
40080102 X
40080108 X full_dates=K modified_dates=C
40080109 X full_dates=K modified_dates=C
4008010A X
4008010B X clean_desc=C
4008010C X
40080111 X
40080112 X full_dates=K modified_dates=C
40080113 X full_dates=K modified_dates=C
40080114 X
40080115 X clean_desc=C
40080118 X
40080119 X
4008011A X
40080200 X
40080202 X
40080300 X clean_desc=C
40084000 X clean_desc=C
FFFAFFFA X
FFFCFFFC X
00081301 X
00081302 X
00081303 X
00081304 X
00100011 X
00100012 X
00100013 X
00100014 X
00100015 X
00100016 X
00100041 X
00100042 X
00100043 X
00100044 X
00100045 X
00100046 X
00100047 X
00102161 X
00102162 X
00181010 X
00181011 X
003A0020 X
003A0203 X
003A020C X
00400556 X
0040A034 X
0040A035 X
0040B020 X/D
0040B034 X
0040B036 X
0040B03B X
0040B03F X
0040E012 X
00700006 D
300A0054 U
""")

#: Those of repeating groups (PS3.5 7.6), X for any digit.
REPEATING = _rows("""
50XXXXXX X clean_graph=C
60XX3000 X clean_graph=C
60XX4000 X clean_graph=C
""")

#: Table E.3.4-1.
CONCEPTS = _concepts("""
DCM|121022|TEXT|X|
DCM|113795|IMAGE|D|uids=K
DCM|126201|DATE|X|full_dates=K modified_dates=C
DCM|125203|TEXT|X|clean_desc=C
DCM|126202|TIME|X|full_dates=K modified_dates=C
NCIt|C67447|TEXT|X|clean_desc=C
SCT|440252007|TEXT|D|clean_desc=C
NCDR [2.0b]|15|DATETIME|X|full_dates=K modified_dates=C
DCM|112050|TEXT|X|clean_desc=C
SCT|398164008|DATETIME|X|full_dates=K modified_dates=C
SCT|398325003|DATETIME|X|full_dates=K modified_dates=C
DCM|121080|IMAGE|X|uids=K
DCM|121080|WAVEFORM|X|uids=K
DCM|113723|DATETIME|D|full_dates=K modified_dates=C
DCM|113720|TEXT|X|clean_desc=C
DCM|113724|TEXT|D|clean_desc=C
NCDR [2.0b]|76|PNAME|D|
DCM|121120|COMPOSITE|X|uids=K
SCT|371524004|COMPOSITE|X|uids=K
SCT|371524004|TEXT|X|clean_desc=C
DCM|121106|TEXT|X|clean_desc=C
SCT|116224001|TEXT|X|clean_desc=C
DCM|112347|TEXT|D|
DCM|121077|TEXT|X|clean_desc=C
DCM|111018|DATE|X/D|full_dates=K modified_dates=C
DCM|111019|TIME|X/D|full_dates=K modified_dates=C
DCM|122073|COMPOSITE|X|uids=K
LN|11955-2|DATE|X|full_dates=K modified_dates=C
DCM|121431|DATETIME|X|full_dates=K modified_dates=C
DCM|121432|DATETIME|X|full_dates=K modified_dates=C
DCM|111527|DATETIME|X|full_dates=K modified_dates=C
DCM|122165|DATETIME|X|full_dates=K modified_dates=C
DCM|122105|DATETIME|X|full_dates=K modified_dates=C
DCM|111536|DATETIME|X|full_dates=K modified_dates=C
DCM|111702|DATETIME|X|full_dates=K modified_dates=C
DCM|121125|DATETIME|X|full_dates=K modified_dates=C
DCM|111535|DATETIME|X|full_dates=K modified_dates=C
DCM|121433|DATETIME|X|full_dates=K modified_dates=C
DCM|111526|DATETIME|X/D|full_dates=K modified_dates=C
DCM|112363|TEXT|D|
DCM|112357|UIDREF|D|uids=K
DCM|112373|COMPOSITE|X|uids=K
DCM|112372|COMPOSITE|X|uids=K
DCM|111021|TEXT|X|clean_desc=C
DCM|121145|TEXT|X|clean_desc=C
DCM|120999|TEXT|X|device=K
DCM|113877|TEXT|X|device=K
DCM|121013|TEXT|X|device=K
DCM|121017|TEXT|X|institution=K
DCM|121016|TEXT|X|device=K
DCM|121012|UIDREF|X/D|uids=K device=K
DCM|113880|TEXT|X/D|device=K
DCM|121193|TEXT|D|device=K
DCM|121197|TEXT|X|institution=K
DCM|121196|TEXT|X|device=K
DCM|121198|UIDREF|X|uids=K device=K
DCM|122163|DATETIME|X|full_dates=K modified_dates=C
DCM|121342|IMAGE|X|uids=K
DCM|122083|TEXT|X/D|clean_desc=C
DCM|122082|DATETIME|X|full_dates=K modified_dates=C
DCM|122081|DATETIME|X|full_dates=K modified_dates=C
SCT|271921002|TEXT|X/D|clean_desc=C
LN|11778-8|DATE|X|full_dates=K modified_dates=C
DCM|113810|DATETIME|D|full_dates=K modified_dates=C
DCM|121122|TEXT|X|device=K clean_desc=C
DCM|128429|UIDREF|D|uids=K
NCIt|C54627|NUM|X|
DCM|121088|PNAME|X|
LN|11951-1|TEXT|D|
DCM|121021|TEXT|X|
DCM|121071|TEXT|X/D|clean_desc=C
SCT|363698007|TEXT|D|clean_desc=C
DCM|112227|UIDREF|X/D|uids=K
DCM|127857|DATE|D|full_dates=K modified_dates=C
DCM|127858|TIME|D|full_dates=K modified_dates=C
LN|11329-0|TEXT|X|clean_desc=C
DCM|130527|TEXT|D|institution=K
DCM|113832|TEXT|D|device=K
DCM|125010|TEXT|X|
DCM|128775|TEXT|X|
DCM|112229|IMAGE|D|uids=K
DCM|125201|IMAGE|X|uids=K
DCM|121200|IMAGE|X|uids=K
DCM|121138|IMAGE|D|uids=K
DCM|122712|DATETIME|D|full_dates=K modified_dates=C
DCM|112366|COMPOSITE|X|uids=K
DCM|111033|TEXT|D|clean_desc=C
LN|18785-6|TEXT|D|clean_desc=C
DCM|121154|TEXT|D|
DCM|113850|PNAME|D|
DCM|113605|TEXT|X|
DCM|113769|UIDREF|D|uids=K
DCM|110190|TEXT|X|
DCM|111706|TEXT|X|
DCM|111724|TEXT|X|
DCM|113012|TEXT|X|clean_desc=C
LN|18118-0|TEXT|X|clean_desc=C
DCM|112371|COMPOSITE|D|uids=K
DCM|112352|TEXT|D|
DCM|112351|TEXT|D|
DCM|111516|TEXT|X|clean_desc=C
DCM|121036|PNAME|X|
DCM|113873|TEXT|X|institution=K
DCM|111040|COMPOSITE|D|uids=K
DCM|111705|TEXT|D|
DCM|112361|COMPOSITE|X|uids=K
DCM|112354|IMAGE|X|uids=K
DCM|113815|TEXT|D|clean_desc=C
DCM|121110|TEXT|X|clean_desc=C
DCM|128425|COMPOSITE|X|uids=K
DCM|128425|IMAGE|X|uids=K
DCM|128425|UIDREF|X|uids=K
DCM|128426|TEXT|X|clean_desc=C
DCM|109054|TEXT|X|clean_desc=C
DCM|122128|TEXT|X|institution=K
DCM|121126|UIDREF|D|uids=K
DCM|121114|PNAME|D|
DCM|121152|PNAME|X|
DCM|113871|TEXT|X|
DCM|113872|TEXT|X|
DCM|113870|PNAME|D|
DCM|128774|TEXT|X|
DCM|121009|TEXT|X|institution=K
DCM|121008|PNAME|D|
DCM|121173|TEXT|X|clean_desc=C
DCM|121020|TEXT|X|
DCM|113516|TEXT|X|
DCM|122075|COMPOSITE|X|uids=K
DCM|121124|TEXT|X/D|
DCM|122146|DATETIME|X/D|full_dates=K modified_dates=C
NCDR [2.0b]|52|DATETIME|D|full_dates=K modified_dates=C
DCM|121065|TEXT|X/D|clean_desc=C
NCDR [2.0b]|53|TEXT|X|
DCM|122177|TEXT|X|clean_desc=C
DCM|121019|UIDREF|X|uids=K
DCM|121018|UIDREF|X|uids=K
DCM|122701|DATETIME|X|full_dates=K modified_dates=C
DCM|111703|TEXT|X|clean_desc=C
DCM|126071|TEXT|X|clean_desc=C
DCM|128230|TEXT|X|clean_desc=C
DCM|121002|COMPOSITE|D|uids=K
DCM|128436|COMPOSITE|D|uids=K
DCM|128403|TEXT|D|clean_desc=C
DCM|128414|COMPOSITE|D|uids=K
DCM|128414|IMAGE|D|uids=K
DCM|113514|TEXT|X|
DCM|113503|UIDREF|D|uids=K
DCM|113511|TEXT|X|
DCM|113512|TEXT|X|
DCM|123003|DATETIME|X/D|full_dates=K modified_dates=C
DCM|123004|DATETIME|X|full_dates=K modified_dates=C
DCM|130507|TEXT|X|clean_desc=C
DCM|113513|TEXT|X|
DCM|126100|COMPOSITE|X|uids=K
DCM|113907|TEXT|X|clean_desc=C
DCM|113552|TEXT|X|clean_desc=C
DCM|121075|TEXT|X|clean_desc=C
DCM|111054|DATE|X/D|full_dates=K modified_dates=C
DCM|121191|IMAGE|X/D|uids=K
DCM|121214|IMAGE|D|uids=K
DCM|112364|COMPOSITE|X|uids=K
DCM|121121|TEXT|X|
DCM|111469|DATETIME|D|full_dates=K modified_dates=C
DCM|111058|TEXT|D|clean_desc=C
DCM|112002|UIDREF|D|uids=K
DCM|113985|UIDREF|D|uids=K
DCM|121434|TEXT|X|institution=K
DCM|121435|PNAME|X|
DCM|121435|TEXT|X|
SCT|160476009|TEXT|X|clean_desc=C
DCM|121233|IMAGE|D|uids=K
DCM|121112|IMAGE|D|uids=K
DCM|121112|WAVEFORM|X|uids=K
DCM|121232|UIDREF|D|uids=K
DCM|128447|COMPOSITE|X|uids=K
DCM|112353|COMPOSITE|X|uids=K
DCM|128444|COMPOSITE|D|uids=K
DCM|111700|TEXT|X|
DCM|121041|TEXT|X|
DCM|121039|UIDREF|X|uids=K
DCM|128416|COMPOSITE|D|uids=K
SCT|398201009|DATETIME|D|full_dates=K modified_dates=C
DCM|113809|DATETIME|D|full_dates=K modified_dates=C
DCM|110119|TEXT|X|device=K
DCM|122173|DATETIME|X|full_dates=K modified_dates=C
SCT|397898000|DATETIME|D|full_dates=K modified_dates=C
DCM|109056|TEXT|X|clean_desc=C
DCM|111060|DATE|X/D|full_dates=K modified_dates=C
DCM|110180|UIDREF|D|uids=K
DCM|111061|TIME|X/D|full_dates=K modified_dates=C
DCM|121033|NUM|X|patient=K
DCM|121031|DATE|X|
DCM|121030|TEXT|X/D|
DCM|121029|PNAME|D|
DCM|121032|CODE|X|patient=K
DCM|126070|TEXT|X|clean_desc=C
DCM|121028|UIDREF|X|uids=K
DCM|121111|TEXT|X|clean_desc=C
DCM|112359|COMPOSITE|X|uids=K
UMLS|C2348792|TEXT|X/D|clean_desc=C
DCM|112040|UIDREF|D|uids=K
LN|74711-3|TEXT|X|device=K
DCM|121000|CONTAINER|X|device=K
DCM|112356|UIDREF|D|uids=K
DCM|121143|WAVEFORM|D|uids=K
DCM|128470|COMPOSITE|X|uids=K
DCM|128470|IMAGE|X|uids=K
DCM|128470|UIDREF|X|uids=K
DCM|113701|COMPOSITE|X|uids=K
""")

#: Table E.3.10-1.
SAFE_PRIVATE = _safe("""
0019 0C IS SIEMENS MR HEADER
0019 0D CS SIEMENS MR HEADER
0019 0E FD SIEMENS MR HEADER
0019 23 DS GEMS_ACQU_01
0019 24 DS GEMS_ACQU_01
0019 27 DS GEMS_ACQU_01
0019 27 FD SIEMENS MR HEADER
0019 9E LO GEMS_ACQU_01
0025 01 OW Philips ST80i
0025 07 SL GEMS_SERS_01
0043 27 SH GEMS_PARM_01
0043 39 IS GEMS_PARM_01
0043 6F DS GEMS_PARM_01
0045 01 SS GEMS_HELIOS_01
0045 02 FL GEMS_HELIOS_01
0099 01 UI NQHeader
0099 02 UI NQHeader
0099 04 SS NQHeader
0099 05 LT NQHeader
0099 10 FL NQHeader
0099 20 SH NQHeader
0099 21 FL NQHeader
00E1 21 DS ELSCINT1
00E1 50 DS ELSCINT1
0119 00 LO SIEMENS Ultrasound SC2000
0119 01 OB SIEMENS Ultrasound SC2000
0119 02 SQ SIEMENS Ultrasound SC2000
0119 03 SQ SIEMENS Ultrasound SC2000
0119 04 OB SIEMENS Ultrasound SC2000
0119 05 UL SIEMENS Ultrasound SC2000
0119 06 UL SIEMENS Ultrasound SC2000
0119 07 UL SIEMENS Ultrasound SC2000
0119 08 UL SIEMENS Ultrasound SC2000
0119 09 SS SIEMENS Ultrasound SC2000
0119 10 SH SIEMENS Ultrasound SC2000
0119 11 - SIEMENS Ultrasound SC2000
0119 12 - SIEMENS Ultrasound SC2000
0119 13 IS SIEMENS Ultrasound SC2000
0119 21 SH SIEMENS Ultrasound SC2000
0129 00 SQ SIEMENS Ultrasound SC2000
0129 02 UI SIEMENS Ultrasound SC2000
0129 03 - SIEMENS Ultrasound SC2000
0129 04 - SIEMENS Ultrasound SC2000
0129 05 - SIEMENS Ultrasound SC2000
0129 06 SQ SIEMENS Ultrasound SC2000
0129 07 UI SIEMENS Ultrasound SC2000
0129 08 OB SIEMENS Ultrasound SC2000
0129 09 SQ SIEMENS Ultrasound SC2000
0129 10 OB SIEMENS Ultrasound SC2000
0129 11 SQ SIEMENS Ultrasound SC2000
0129 12 UI SIEMENS Ultrasound SC2000
0129 20 SQ SIEMENS Ultrasound SC2000
0129 21 OB SIEMENS Ultrasound SC2000
0129 22 OB SIEMENS Ultrasound SC2000
0129 29 OB SIEMENS Ultrasound SC2000
0129 30 CS SIEMENS Ultrasound SC2000
0139 01 SL SIEMENS Ultrasound SC2000
0149 01 FD SIEMENS Ultrasound SC2000
0149 02 FD SIEMENS Ultrasound SC2000
0149 03 FD SIEMENS Ultrasound SC2000
0199 01 FL NQLeft
0199 02 FL NQLeft
0199 03 FL NQLeft
0199 04 FL NQLeft
0199 05 FL NQLeft
0199 06 FL NQLeft
0199 07 FL NQLeft
0199 08 FL NQLeft
0199 09 FL NQLeft
0199 0A FL NQLeft
0199 0B FL NQLeft
0199 0C FL NQLeft
0199 0D FL NQLeft
0199 0E FL NQLeft
0199 0F FL NQLeft
0199 10 FL NQLeft
0199 11 FL NQLeft
0199 12 FL NQLeft
0199 13 FL NQLeft
0199 14 FL NQLeft
0199 15 FL NQLeft
0199 16 FL NQLeft
01E1 26 CS ELSCINT1
01F1 01 CS ELSCINT1
01F1 07 DS ELSCINT1
01F1 26 DS ELSCINT1
01F1 27 DS ELSCINT1
0299 01 FL NQRight
0299 02 FL NQRight
0299 03 FL NQRight
0299 04 FL NQRight
0299 05 FL NQRight
0299 06 FL NQRight
0299 07 FL NQRight
0299 08 FL NQRight
0299 09 FL NQRight
0299 0A FL NQRight
0299 0B FL NQRight
0299 0C FL NQRight
0299 0D FL NQRight
0299 0E FL NQRight
0299 0F FL NQRight
0299 10 FL NQRight
0299 11 FL NQRight
0299 12 FL NQRight
0299 13 FL NQRight
0299 14 FL NQRight
0299 15 FL NQRight
0299 16 FL NQRight
0903 10 US GEIIS PACS
0903 11 US GEIIS PACS
0903 12 US GEIIS PACS
2001 00 SQ Philips Imaging DD 129
2001 01 FL Philips Imaging DD 001
2001 01 SQ Philips Imaging DD 097
2001 01 SQ Philips Imaging DD 129
2001 01 US Philips Imaging DD 002
2001 02 FD Philips Imaging DD 002
2001 02 FD Philips Imaging DD 097
2001 02 IS Philips Imaging DD 001
2001 02 SQ Philips Imaging DD 129
2001 03 CS Philips Imaging DD 002
2001 03 FD Philips Imaging DD 097
2001 03 FL Philips Imaging DD 001
2001 03 UL Philips Imaging DD 129
2001 04 CS Philips Imaging DD 001
2001 04 FD Philips Imaging DD 097
2001 04 SQ Philips Imaging DD 129
2001 04 SS Philips Imaging DD 002
2001 05 FD Philips Imaging DD 002
2001 05 FD Philips Imaging DD 129
2001 05 SQ Philips Imaging DD 097
2001 05 SS Philips Imaging DD 001
2001 06 CS Philips Imaging DD 001
2001 06 FD Philips Imaging DD 129
2001 06 SQ Philips Imaging DD 097
2001 06 US Philips Imaging DD 002
2001 07 CS Philips Imaging DD 001
2001 07 CS Philips Imaging DD 002
2001 07 CS Philips Imaging DD 129
2001 07 FD Philips Imaging DD 097
2001 08 CS Philips Imaging DD 129
2001 08 FD Philips Imaging DD 002
2001 08 IS Philips Imaging DD 001
2001 08 SQ Philips Imaging DD 097
2001 09 FD Philips Imaging DD 002
2001 09 FL Philips Imaging DD 001
2001 09 UL Philips Imaging DD 129
2001 0A FD Philips Imaging DD 002
2001 0A IS Philips Imaging DD 001
2001 0A SQ Philips Imaging DD 097
2001 0B CS Philips Imaging DD 001
2001 0B FD Philips Imaging DD 002
2001 0B SQ Philips Imaging DD 097
2001 0C CS Philips Imaging DD 001
2001 0C US Philips Imaging DD 002
2001 0D CS Philips Imaging DD 002
2001 0D FD Philips Imaging DD 097
2001 0E CS Philips Imaging DD 001
2001 0E FD Philips Imaging DD 002
2001 0E SQ Philips Imaging DD 097
2001 0F FD Philips Imaging DD 097
2001 0F SS Philips Imaging DD 001
2001 0F US Philips Imaging DD 002
2001 10 CS Philips Imaging DD 001
2001 10 SS Philips Imaging DD 002
2001 11 FL Philips Imaging DD 001
2001 11 SS Philips Imaging DD 002
2001 12 CS Philips Imaging DD 001
2001 12 CS Philips Imaging DD 002
2001 12 SQ Philips Imaging DD 097
2001 13 SL Philips Imaging DD 001
2001 13 SS Philips Imaging DD 002
2001 14 FD Philips Imaging DD 002
2001 14 SL Philips Imaging DD 001
2001 15 FD Philips Imaging DD 002
2001 15 SS Philips Imaging DD 001
2001 16 FD Philips Imaging DD 002
2001 16 SS Philips Imaging DD 001
2001 17 FD Philips Imaging DD 002
2001 17 SL Philips Imaging DD 001
2001 17 US Philips Imaging DD 097
2001 18 CS Philips Imaging DD 002
2001 18 SL Philips Imaging DD 001
2001 18 US Philips Imaging DD 097
2001 19 CS Philips Imaging DD 001
2001 19 FD Philips Imaging DD 002
2001 19 LO Philips Imaging DD 097
2001 1A FD Philips Imaging DD 002
2001 1A FD Philips Imaging DD 097
2001 1A FL Philips Imaging DD 001
2001 1B FD Philips Imaging DD 002
2001 1B FL Philips Imaging DD 001
2001 1B UL Philips Imaging DD 097
2001 1C CS Philips Imaging DD 001
2001 1C FD Philips Imaging DD 002
2001 1C FD Philips Imaging DD 097
2001 1D FD Philips Imaging DD 002
2001 1D FD Philips Imaging DD 097
2001 1D IS Philips Imaging DD 001
2001 1E CS Philips Imaging DD 001
2001 1E FD Philips Imaging DD 002
2001 1E FD Philips Imaging DD 097
2001 1F CS Philips Imaging DD 001
2001 1F FD Philips Imaging DD 002
2001 1F FD Philips Imaging DD 097
2001 20 FD Philips Imaging DD 002
2001 21 CS Philips Imaging DD 001
2001 21 FD Philips Imaging DD 002
2001 21 UL Philips Imaging DD 097
2001 22 FD Philips Imaging DD 002
2001 22 FD Philips Imaging DD 097
2001 22 FL Philips Imaging DD 001
2001 23 DS Philips Imaging DD 001
2001 23 FD Philips Imaging DD 002
2001 23 FD Philips Imaging DD 097
2001 24 CS Philips Imaging DD 001
2001 24 FD Philips Imaging DD 002
2001 24 FD Philips Imaging DD 097
2001 25 FD Philips Imaging DD 002
2001 25 FD Philips Imaging DD 097
2001 25 SH Philips Imaging DD 001
2001 26 CS Philips Imaging DD 001
2001 26 FD Philips Imaging DD 002
2001 26 FD Philips Imaging DD 097
2001 27 CS Philips Imaging DD 001
2001 27 FD Philips Imaging DD 002
2001 27 FD Philips Imaging DD 097
2001 28 FL Philips Imaging DD 001
2001 28 LO Philips Imaging DD 097
2001 28 US Philips Imaging DD 002
2001 29 FL Philips Imaging DD 001
2001 29 US Philips Imaging DD 002
2001 2A CS Philips Imaging DD 001
2001 2A LO Philips Imaging DD 097
2001 2A US Philips Imaging DD 002
2001 2B CS Philips Imaging DD 001
2001 2B FD Philips Imaging DD 097
2001 2B SS Philips Imaging DD 002
2001 2C FD Philips Imaging DD 002
2001 2C FD Philips Imaging DD 097
2001 2C FL Philips Imaging DD 001
2001 2D FD Philips Imaging DD 002
2001 2D SS Philips Imaging DD 001
2001 2D UL Philips Imaging DD 097
2001 2E CS Philips Imaging DD 001
2001 2E SQ Philips Imaging DD 097
2001 2E SS Philips Imaging DD 002
2001 2F FL Philips Imaging DD 001
2001 2F OB Philips Imaging DD 097
2001 2F SS Philips Imaging DD 002
2001 30 SL Philips Imaging DD 097
2001 30 SS Philips Imaging DD 002
2001 30 UL Philips Imaging DD 001
2001 31 SL Philips Imaging DD 097
2001 31 SS Philips Imaging DD 002
2001 31 US Philips Imaging DD 001
2001 32 FL Philips Imaging DD 001
2001 32 SL Philips Imaging DD 097
2001 32 SS Philips Imaging DD 002
2001 33 CS Philips Imaging DD 001
2001 33 SS Philips Imaging DD 002
2001 34 CS Philips Imaging DD 001
2001 34 SS Philips Imaging DD 002
2001 35 FD Philips Imaging DD 002
2001 35 SS Philips Imaging DD 001
2001 36 CS Philips Imaging DD 001
2001 36 FD Philips Imaging DD 002
2001 36 LO Philips Imaging DD 097
2001 37 CS Philips Imaging DD 001
2001 37 FD Philips Imaging DD 002
2001 37 FD Philips Imaging DD 097
2001 38 FD Philips Imaging DD 002
2001 38 FD Philips Imaging DD 097
2001 38 FL Philips Imaging DD 001
2001 39 CS Philips Imaging DD 002
2001 39 FD Philips Imaging DD 097
2001 39 FL Philips Imaging DD 001
2001 3A CS Philips Imaging DD 001
2001 3A FD Philips Imaging DD 097
2001 3A SQ Philips Imaging DD 002
2001 3B FD Philips Imaging DD 097
2001 3B FL Philips Imaging DD 001
2001 3B SQ Philips Imaging DD 002
2001 3C FL Philips Imaging DD 001
2001 3C SQ Philips Imaging DD 002
2001 3C SQ Philips Imaging DD 097
2001 3D FD Philips Imaging DD 097
2001 3D SQ Philips Imaging DD 002
2001 3D UL Philips Imaging DD 001
2001 3E FL Philips Imaging DD 001
2001 3E SQ Philips Imaging DD 097
2001 3E SS Philips Imaging DD 002
2001 3F CS Philips Imaging DD 001
2001 3F SS Philips Imaging DD 002
2001 40 CS Philips Imaging DD 001
2001 40 SS Philips Imaging DD 002
2001 40 UL Philips Imaging DD 097
2001 41 FL Philips Imaging DD 001
2001 41 LO Philips Imaging DD 097
2001 42 CS Philips Imaging DD 001
2001 42 SQ Philips Imaging DD 097
2001 43 IS Philips Imaging DD 001
2001 44 IS Philips Imaging DD 001
2001 44 LO Philips Imaging DD 097
2001 45 IS Philips Imaging DD 001
2001 45 SL Philips Imaging DD 097
2001 46 CS Philips Imaging DD 001
2001 46 LO Philips Imaging DD 097
2001 47 FL Philips Imaging DD 001
2001 47 OB Philips Imaging DD 097
2001 48 SS Philips Imaging DD 001
2001 49 IS Philips Imaging DD 001
2001 49 SQ Philips Imaging DD 097
2001 4A CS Philips Imaging DD 001
2001 4A OB Philips Imaging DD 097
2001 4B CS Philips Imaging DD 001
2001 4B SL Philips Imaging DD 097
2001 4C CS Philips Imaging DD 001
2001 4C LO Philips Imaging DD 097
2001 4D CS Philips Imaging DD 001
2001 4E CS Philips Imaging DD 001
2001 4F FD Philips Imaging DD 001
2001 50 CS Philips Imaging DD 002
2001 50 LO Philips Imaging DD 001
2001 51 IS Philips Imaging DD 001
2001 52 LO Philips Imaging DD 002
2001 53 CS Philips Imaging DD 001
2001 53 CS Philips Imaging DD 002
2001 54 FL Philips Imaging DD 001
2001 55 UL Philips Imaging DD 001
2001 56 CS Philips Imaging DD 001
2001 57 CS Philips Imaging DD 001
2001 57 SQ Philips Imaging DD 002
2001 58 SQ Philips Imaging DD 002
2001 58 UL Philips Imaging DD 001
2001 59 IS Philips Imaging DD 001
2001 5A LO Philips Imaging DD 002
2001 5A ST Philips Imaging DD 001
2001 5C LO Philips Imaging DD 002
2001 5D ST Philips Imaging DD 001
2001 5D UL Philips Imaging DD 002
2001 5E ST Philips Imaging DD 001
2001 5E UL Philips Imaging DD 002
2001 5F SQ Philips Imaging DD 001
2001 5F SQ Philips Imaging DD 002
2001 60 SL Philips Imaging DD 001
2001 61 CS Philips Imaging DD 001
2001 62 CS Philips Imaging DD 001
2001 63 CS Philips Imaging DD 001
2001 63 ST Philips Imaging DD 002
2001 64 SH Philips Imaging DD 001
2001 64 SQ Philips Imaging DD 002
2001 65 CS Philips Imaging DD 002
2001 65 SQ Philips Imaging DD 001
2001 66 CS Philips Imaging DD 002
2001 66 SQ Philips Imaging DD 001
2001 67 CS Philips Imaging DD 001
2001 67 LO Philips Imaging DD 002
2001 68 LO Philips Imaging DD 002
2001 68 SQ Philips Imaging DD 001
2001 69 SQ Philips Imaging DD 001
2001 6A SQ Philips Imaging DD 001
2001 6B LO Philips Imaging DD 002
2001 6B SQ Philips Imaging DD 001
2001 6D LO Philips Imaging DD 001
2001 6E SH Philips Imaging DD 001
2001 6F SQ Philips Imaging DD 001
2001 71 CS Philips Imaging DD 001
2001 71 CS Philips Imaging DD 002
2001 72 FL Philips Imaging DD 002
2001 72 IS Philips Imaging DD 001
2001 73 FL Philips Imaging DD 002
2001 73 SQ Philips Imaging DD 001
2001 74 DS Philips Imaging DD 001
2001 74 LO Philips Imaging DD 002
2001 75 DS Philips Imaging DD 001
2001 75 SS Philips Imaging DD 002
2001 76 UL Philips Imaging DD 001
2001 77 CS Philips Imaging DD 001
2001 79 SQ Philips Imaging DD 001
2001 7A FL Philips Imaging DD 001
2001 7B IS Philips Imaging DD 001
2001 7C UL Philips Imaging DD 001
2001 7D OW/OB Philips Imaging DD 001
2001 7E US Philips Imaging DD 001
2001 7F US Philips Imaging DD 001
2001 80 LO Philips Imaging DD 001
2001 81 IS Philips Imaging DD 001
2001 82 IS Philips Imaging DD 001
2001 83 DS Philips Imaging DD 001
2001 84 DS Philips Imaging DD 001
2001 85 DS Philips Imaging DD 001
2001 86 IS Philips Imaging DD 001
2001 87 SH Philips Imaging DD 001
2001 88 DS Philips Imaging DD 001
2001 89 DS Philips Imaging DD 001
2001 8A DS Philips Imaging DD 001
2001 8B SH Philips Imaging DD 001
2001 8C CS Philips Imaging DD 001
2001 90 LO Philips Imaging DD 001
2001 91 LO Philips Imaging DD 001
2001 92 LO Philips Imaging DD 001
2001 93 LO Philips Imaging DD 001
2001 94 LO Philips Imaging DD 001
2001 9A SQ Philips Imaging DD 001
2001 9B UL Philips Imaging DD 001
2001 9D LO Philips Imaging DD 001
2001 9F US Philips Imaging DD 001
2001 A1 CS Philips Imaging DD 001
2001 A1 CS Philips Imaging DD 097
2001 A2 FD Philips Imaging DD 097
2001 A2 US Philips Imaging DD 001
2001 A3 FD Philips Imaging DD 097
2001 A3 UL Philips Imaging DD 001
2001 A4 FD Philips Imaging DD 097
2001 A4 UL Philips Imaging DD 001
2001 A5 FD Philips Imaging DD 097
2001 A5 UL Philips Imaging DD 001
2001 A6 US Philips Imaging DD 097
2001 A8 IS Philips Imaging DD 097
2001 A9 SQ Philips Imaging DD 097
2001 AA FD Philips Imaging DD 097
2001 AB IS Philips Imaging DD 097
2001 C0 UL Philips Imaging DD 001
2001 C1 LO Philips Imaging DD 001
2001 C2 FD Philips Imaging DD 001
2001 C3 UL Philips Imaging DD 001
2001 C5 SQ Philips Imaging DD 001
2001 C6 SQ Philips Imaging DD 001
2001 C7 SQ Philips Imaging DD 001
2001 CA SQ Philips Imaging DD 001
2001 CB IS Philips Imaging DD 001
2001 D0 AT Philips Imaging DD 001
2001 D1 US Philips Imaging DD 001
2001 D2 US Philips Imaging DD 001
2001 D3 US Philips Imaging DD 001
2001 D4 US Philips Imaging DD 001
2001 D5 US Philips Imaging DD 001
2001 D6 US Philips Imaging DD 001
2001 D7 US Philips Imaging DD 001
2001 D8 US Philips Imaging DD 001
2001 D9 US Philips Imaging DD 001
2001 DA CS Philips Imaging DD 001
2001 DB US Philips Imaging DD 001
2001 DC US Philips Imaging DD 001
2001 DD US Philips Imaging DD 001
2001 DE US Philips Imaging DD 001
2001 DF UL Philips Imaging DD 001
2001 E9 SQ Philips Imaging DD 001
2001 F1 FL Philips Imaging DD 001
2001 F2 FL Philips Imaging DD 001
2001 F3 CS Philips Imaging DD 001
2001 F4 UL Philips Imaging DD 001
2001 F5 CS Philips Imaging DD 001
2001 F6 UL Philips Imaging DD 001
2001 F7 LO Philips Imaging DD 001
2001 F9 SQ Philips Imaging DD 001
2001 FB SQ Philips Imaging DD 001
2001 FC SQ Philips Imaging DD 001
2001 FD SQ Philips Imaging DD 001
2001 FF OW/OB Philips Imaging DD 001
2005 0D FL Philips MR Imaging DD 001
2005 0E FL Philips MR Imaging DD 001
7053 00 DS Philips PET Private Group
7053 09 DS Philips PET Private Group
7E01 01 LO HOLOGIC, Inc.
7E01 02 SH HOLOGIC, Inc.
7E01 10 SQ HOLOGIC, Inc.
7E01 11 SQ HOLOGIC, Inc.
7E01 12 OB HOLOGIC, Inc.
7FD1 01 OB SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING
7FD1 01 OB SIEMENS Ultrasound SC2000
7FD1 09 UI SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING
7FD1 09 UI SIEMENS Ultrasound SC2000
7FD1 10 OB SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING
7FD1 10 OB SIEMENS Ultrasound SC2000
7FD1 11 OB SIEMENS SYNGO ULTRA-SOUND TOYON DATA STREAMING
7FD1 11 OB SIEMENS Ultrasound SC2000
""")
