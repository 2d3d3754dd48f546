"""Golden files: every function, aggregation, statement and message of the language, as a person reads them.

    functions/ aggregations/ statements/ errors/    one small file for each, 40 lines at most
    cases.py         the form of the files (below): read and written
    machines.py      a case run on the IR's interpreter, on the VM and in the kernel
    reached.py       which places of the sources that complain were reached, and which there are
    test_golden.py   the tests

A file is a list of cases. `#` lines at its top say what it shows. A case begins with `=== title` and its
script, which sections follow, each with a line `--- NAME` above it:

    params     `$1`, `$2`, …, as a shell would split them
    options    words: `unsafe`, `clock=NS`, `cpus=N`, `machine=ARCH`, `user:ID=NAME`, `--name=value` (for
               getopt), `NAME=VALUE` (a setting of the environment), `lookups` (say when a lookup fails),
               `small` (the machine has not what the script asks for, but little: `builders.scripts`),
               `made-up` (values are of the made-up machine, so not for the kernel), `vm` (nor for the IR)
    files      other files, a line each: `path: text`; the text `?` can't be read (only of the small machine)
    types      what the kernel declares, as C text
    events     what happens, as `probee.testing.parse_events` reads it
    text       what is written to stdout, without the empty lines that mark the end of the probes
    said       what is written to stderr
    json       what is written to stdout where JSON is wanted
    warnings   what is said of a script that is only compiled
    errors     what is said of a script that doesn't compile

Where output doesn't end in a newline, a line `\\` follows here. `PROBEE_GOLDEN=write` has the tests
write what comes out into the sections that a case has: read the difference before you commit it.
"""
