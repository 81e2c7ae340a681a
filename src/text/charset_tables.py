#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Writes the C tables of the character sets that use one octet a character: charset_tables.py OUTPUT.

Each table gives the Unicode character of the octets 128 to 255; 0 where there is none."""
import sys

TABLES = (
    [f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)]
    + [f"cp{n}" for n in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866,
                          869, 874, 1125, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)]
    + ["koi8_r", "koi8_u", "koi8_t", "mac_roman", "mac_cyrillic", "mac_greek", "mac_latin2",
       "mac_turkish", "ptcp154", "hp_roman8"])


def character(codec, octet):
    try:
        return ord(bytes([octet]).decode(codec))
    except UnicodeDecodeError:
        return 0


def main():
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("/* Made by charset_tables.py. */\n")
        for codec in TABLES:
            out.write(f"static const uint16_t {codec}[128] = {{\n")
            for row in range(128, 256, 8):
                values = (f"0x{character(codec, octet):04X}," for octet in range(row, row + 8))
                out.write("    " + " ".join(values) + "\n")
            out.write("};\n")


main()
