"""What Aravis' fake camera lacks and real ones have: more trigger edges, a delay, a strobe, PTP.

The fake serves whatever description of registers it is given; here its own, with features that lie in
registers which it does not use.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from edge.cameras.aravis_library import load_library

_REGISTER = """
<IntReg Name="{name}Register"><Address>{address:#x}</Address><Length>4</Length><AccessMode>RW</AccessMode>
<pPort>Device</pPort><Sign>Unsigned</Sign><Endianess>BigEndian</Endianess></IntReg>
"""
_CHOICES = {
    "LineSelector": ("Line1", "Line2"),
    "LineMode": ("Input", "Output"),
    "LineSource": ("Off", "ExposureActive"),
}


def write_description(path: Path) -> Path:
    """The richer camera's GenICam file."""
    nodes = [_number("TriggerDelay"), _switch("PtpEnable")]
    nodes += [_choice(name, entries) for name, entries in _CHOICES.items()]
    names = ["TriggerDelay", "PtpEnable", *_CHOICES]
    nodes += [_REGISTER.format(name=name, address=0x2000 + 4 * i) for i, name in enumerate(names)]
    rising = '<EnumEntry Name="RisingEdge" NameSpace="Standard">'
    falling = '<EnumEntry Name="FallingEdge"><Value>1</Value></EnumEntry>'
    description = _own_description().replace(rising, falling + rising)
    path.write_text(description.replace("<!-- Port -->", "".join(nodes)))
    return path


def _own_description() -> str:
    library = load_library()
    library.arv_fake_camera_new.restype = ctypes.c_void_p
    library.arv_fake_camera_get_genicam_xml.restype = ctypes.c_char_p
    library.arv_fake_camera_get_genicam_xml.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)]
    camera = library.arv_fake_camera_new(b"any")
    size = ctypes.c_size_t()
    text: bytes = library.arv_fake_camera_get_genicam_xml(camera, ctypes.byref(size))
    library.g_object_unref(camera)
    return text.decode()


def _number(name: str) -> str:
    return f'<Float Name="{name}"><pValue>{name}Register</pValue><Min>0</Min><Max>1000000</Max></Float>'


def _switch(name: str) -> str:
    return (
        f'<Boolean Name="{name}"><pValue>{name}Register</pValue><OnValue>1</OnValue><OffValue>0</OffValue>'
        "</Boolean>"
    )


def _choice(name: str, entries: tuple[str, ...]) -> str:
    listed = "".join(
        f'<EnumEntry Name="{entry}"><Value>{i}</Value></EnumEntry>' for i, entry in enumerate(entries)
    )
    return f'<Enumeration Name="{name}">{listed}<pValue>{name}Register</pValue></Enumeration>'
