import edge  # noqa: F401 - no test makes a library report to its maker either
