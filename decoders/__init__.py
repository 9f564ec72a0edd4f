"""Bytes to meaning and back; no I/O. One codec file and one vectors file add a device."""
