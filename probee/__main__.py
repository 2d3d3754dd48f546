"""`python -m probee`: the command `probee`."""

from probee.cli.main import main

raise SystemExit(main())
