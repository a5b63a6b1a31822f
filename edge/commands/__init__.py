"""The commands, one module each, imported when they are called.

Each module offers ``command``, a click command. At its top it imports only what costs
milliseconds: ``anomalygpt-edge --help`` imports all of them.
"""
