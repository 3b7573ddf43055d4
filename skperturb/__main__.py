"""``python -m skperturb`` is the ``skperturb`` command."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
