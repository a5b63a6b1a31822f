"""What stays together where pytest-xdist runs tests in several processes: ``pytest -n 2``."""

from __future__ import annotations

import pytest

_CABLE = frozenset({"cable", "network"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A file's tests stay in one process, since they share what they set up; so do all on the GigE cable.

    The cable's two network namespaces have fixed addresses, and a camera answers on a fixed port.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        on_cable = _CABLE.intersection(getattr(item, "fixturenames", ()))
        group = "cable" if on_cable else item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
