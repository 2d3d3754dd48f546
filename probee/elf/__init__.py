"""ELF, the executable and linking format: bytes in, values out.

Chapters of the System V gABI, one file each; callers open and map files themselves.

    consts      numbers with names: EM, SHT, PT, STT, …
    file        Elf: header, sections, segments, address ↔ file offset
    symbols     symbol tables: find by exact name without parsing the table, iterate functions
    gnu_hash    exact name → exported symbol in microseconds
    versions    GNU symbol versions
    notes       notes and the build id
    dynamic     the dynamic section: needed libraries, soname, flags
    resolve     name + offset → where to put a uprobe, or why not
    debuglink   separate debug files: where they may be, and whether a file is the one
    minidebug   .gnu_debugdata, the compressed symbols of Fedora and its kin
    gopclntab   Go's own table of functions, which stripping leaves alone
    gobuildinfo which Go made a program
    eh_frame    where functions begin and end when no symbol tells
    cfi         all of it as rows of rules by which stacks are unwound; unwind: what such a rule says
    archive     files inside of zip archives
    ldcache     /etc/ld.so.cache: library name → path
"""
