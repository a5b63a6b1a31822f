"""The tracer sees what leaves this machine, and nothing else."""

from __future__ import annotations

import pytest

from tests.strace import outward


def inet(host: str, port: int) -> str:
    """An IPv4 address, as strace writes it."""
    return f'{{sa_family=AF_INET, sin_port=htons({port}), sin_addr=inet_addr("{host}")}}'


def inet6(host: str, port: int) -> str:
    """An IPv6 address, as strace writes it."""
    return (
        f"{{sa_family=AF_INET6, sin6_port=htons({port}), sin6_flowinfo=htonl(0), "
        f'inet_pton(AF_INET6, "{host}", &sin6_addr), sin6_scope_id=0}}'
    )


@pytest.mark.parametrize(
    "call",
    [
        'connect(3, {sa_family=AF_UNIX, sun_path="/tmp/x"}, 110) = 0',
        "connect(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 0",
        'connect(3, {sa_family=AF_UNSPEC, sa_data="\\0\\0"}, 16) = 0',
        f"connect(3, {inet('127.0.0.1', 1883)}, 16) = -1 EINPROGRESS (Operation now in progress)",
        f"connect(3, {inet('127.9.9.9', 1883)}, 16 <unfinished ...>",
        f"connect(3, {inet6('::1', 1883)}, 28) = 0",
        'sendto(3, "hello", 5, MSG_NOSIGNAL, NULL, 0) = 5',  # on a connection that was seen already
    ],
)
def test_what_stays_on_this_machine_is_no_call(call: str) -> None:
    assert list(outward(f"4711 {call}\n")) == []


@pytest.mark.parametrize(
    "call",
    [
        f"connect(3, {inet('203.0.113.7', 443)}, 16) = -1 ENETUNREACH (Network is unreachable)",
        f"connect(3, {inet('0.0.0.0', 443)}, 16) = 0",
        f"connect(3, {inet6('2001:db8::1', 443)}, 28) = 0",
        f"connect(3, {inet('127.0.0.53', 53)}, 16) = 0",  # a resolver, which asks others
        'connect(3, {sa_family=AF_UNIX, sun_path="/run/systemd/resolve/io.systemd.Resolve"}, 42) = 0',
        f'sendto(3, "x", 1, 0, {inet("255.255.255.255", 3956)}, 16) = 1',  # a search for cameras
        f"sendmsg(3, {{msg_name={inet('10.0.0.1', 9)}, msg_namelen=16, msg_iovlen=1}}, 0 <unfinished ...>",
        f"sendmmsg(3, [{{msg_name={inet('127.0.0.1', 9)}}}, {{msg_name={inet('10.0.0.1', 9)}}}], 2, 0)",
        'sendto(3, "x", 1, 0, {sa_family=AF_PACKET, sll_protocol=htons(0x3)}, 20) = 1',  # past all addresses
        "connect(3, {sa_family=0x1f, sa_data=...}, 14) = 0",  # Bluetooth, or whatever comes
    ],
)
def test_what_leaves_this_machine_is(call: str) -> None:
    assert list(outward(f"4711 {call}\n")) == [f"4711 {call}"]
