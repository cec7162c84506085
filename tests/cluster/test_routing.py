"""Any node takes any request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.routing import Asked, Route, Way, freest, new_node, node_of, route
from cluster.store import NodeInfo

ME, ONE, TWO = "me", "one", "two"
NAMES = st.sampled_from([ME, ONE, TWO, "dead"])
ASKED = st.builds(Asked, st.booleans(), st.none() | NAMES, st.none() | NAMES, st.booleans(), st.booleans())
LIVE = st.dictionaries(
    st.sampled_from([ONE, TWO]),
    st.builds(NodeInfo, st.just(""), st.just("http://there"), st.integers(0, 9), st.just(5), st.booleans()),
).map(lambda found: {name: NodeInfo(name, i.url, i.calls, i.max_calls, i.draining) for name, i in found.items()})


def live(*names, draining=()):
    return {name: NodeInfo(name, f"http://{name}", 0, 5, name in draining) for name in names}


@pytest.mark.parametrize(
    ("asked", "there", "draining", "expected"),
    [
        (Asked(True, None, ME, True), live(ONE), False, Route(Way.HERE)),
        (Asked(False, ONE, ONE, True), live(ONE), False, Route(Way.PASS_ON, live(ONE)[ONE])),
        (Asked(False, None, ONE, False), live(ONE), False, Route(Way.PASS_ON, live(ONE)[ONE])),
        (Asked(False, ONE, ONE, True), live(TWO), False, Route(Way.TAKE_UP)),
        (Asked(False, ONE, None, True), live(TWO), False, Route(Way.TAKE_UP)),
        (Asked(False, ME, None, True), live(ONE), False, Route(Way.TAKE_UP)),
        (Asked(False, ONE, ONE, False), live(TWO), False, Route(Way.HERE)),
        (Asked(False, None, None, True), live(ONE), False, Route(Way.HERE)),
        (Asked(False, None, None, True), live(ONE), True, Route(Way.PASS_ON, live(ONE)[ONE])),
        (Asked(False, None, None, True), {}, True, Route(Way.HERE)),
        (Asked(False, ONE, ONE, True, may_pass=False), live(ONE), False, Route(Way.HERE)),
        (Asked(False, ONE, ONE, True, may_pass=False), live(TWO), False, Route(Way.TAKE_UP)),
        (Asked(False, ONE, ONE, True), live(ONE, draining=[ONE]), False, Route(Way.TAKE_UP)),
        (
            Asked(False, ONE, ONE, False),
            live(ONE, draining=[ONE]),
            False,
            Route(Way.PASS_ON, live(ONE, draining=[ONE])[ONE]),
        ),
        (Asked(False, ONE, ONE, True, may_pass=False), live(ONE, draining=[ONE]), False, Route(Way.TAKE_UP)),
    ],
)
def test_where_requests_go(asked, there, draining, expected):
    assert route(asked, ME, there, draining=draining) == expected


@given(ASKED, LIVE, st.booleans())
def test_a_request_goes_to_somebody_who_lives_and_is_passed_on_once(asked, there, draining):
    found = route(asked, ME, there, draining=draining)
    if found.way is Way.PASS_ON:
        assert asked.may_pass
        assert found.node is not None
        assert found.node.node != ME
        assert there[found.node.node] is found.node
    if found.way is Way.TAKE_UP:
        assert asked.offers, "only an offer brings a connection"
        assert asked.owner is not None
        assert asked.owner not in there or there[asked.owner].draining
    if asked.has_call:
        assert found.way is Way.HERE


@given(LIVE)
def test_the_freest_takes_calls(there):
    best = freest(ME, there)
    takers = [info for info in there.values() if not info.draining]
    assert (best is None) == (not takers)
    assert best is None or best.free == max(info.free for info in takers)


def test_a_connections_name_tells_its_node():
    node = new_node()
    assert node_of(f"{node}-{'0' * 32}") == node
    for other in (None, "", "SmallWebRTCConnection#0-" + "0" * 32, f"{node}-{'0' * 31}", f"x{node}-{'0' * 32}"):
        assert node_of(other) is None
