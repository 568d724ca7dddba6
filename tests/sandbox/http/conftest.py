"""One server for all of these tests; each test finds it as new."""

import anthropic
import pytest

from farthing import testing

VERSIONS = ("2026-10-21", "2023-06-01")


@pytest.fixture(scope="session")
def served():
    with testing.sandbox() as running:
        yield running


@pytest.fixture
def box(served):
    served.state.reset(seed=0, tier="Scale", start=testing.START)
    return served


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


@pytest.fixture
def client(box, version):
    headers = {"anthropic-version": version}
    with anthropic.Anthropic(base_url=box.base_url, api_key=box.key, max_retries=0, default_headers=headers) as made:
        yield made


@pytest.fixture
def admin(box):
    with anthropic.Anthropic(base_url=box.base_url, api_key=box.admin_key, max_retries=0) as made:
        yield made


@pytest.fixture
def entry(box):
    """The one request that the books have."""

    def only():
        (booked,) = box.books
        return booked

    return only
