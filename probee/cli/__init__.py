"""What a person types.

main.py      which command it is; errors become one message and status 1
trace.py     `probee -e PROGRAM`, `probee FILE`: run a script
options.py   the options of that command
doctor.py    `probee doctor`: what this machine can trace, and why not
"""
