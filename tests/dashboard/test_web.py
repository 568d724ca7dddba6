"""Names, headers, sign-in, forms and roles: who is let in, and what every answer carries."""

import ipaddress

import pytest
from starlette.testclient import TestClient
from tests.dashboard.made import client_of, form_token

from farthing.dashboard.access import Access, User, hash_of
from farthing.dashboard.nav import PAGES
from farthing.dashboard.security import COOKIE, HEADERS, SESSION_S, Sessions, is_from_here

VIEWER, OPERATOR, SCOPED = "viewer-token-0123456789", "operator-token-0123456789", "scoped-token-0123456789"
USERS = (
    User(name="vera", token_hash=hash_of(VIEWER)),
    User(name="otto", role="operator", token_hash=hash_of(OPERATOR)),
    User(name="tina", tenants=("tenant-01",), token_hash=hash_of(SCOPED)),
)
CLOSED = Access(USERS)
BEHIND = CLOSED._replace(proxy_header="x-user", proxies=(ipaddress.ip_network("10.0.0.0/24"),))


@pytest.fixture
def closed(ledger, desk):
    return client_of(ledger, desk, CLOSED)


def sign_in(client, token, **fields):
    page = client.get("/sign-in")
    return client.post("/sign-in", data={"form_token": form_token(page.text), "token": token, "next": "/", **fields})


@pytest.mark.parametrize("path", [*(route.path for route in PAGES), "/static/style.css", "/nothing", "/sign-in"])
def test_every_answer_carries_the_headers(client, path):
    found = client.get(path).headers
    assert {name: found[name] for name in HEADERS} == HEADERS
    assert found["cache-control"] == ("no-cache" if path.startswith("/static/") else "no-store")


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere():
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_no_page_has_an_inline_style_or_script_or_an_address_elsewhere(client, route):
    html = client.get(route.path).text
    assert " style=" not in html
    assert "<style" not in html
    assert html.count("<script") == html.count('<script src="/static/page.js" defer></script>') == 1
    assert not [part for part in html.split('src="')[1:] if not part.startswith("/static/")]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8790", 200),
        ("localhost", 200),
        ("[::1]:8790", 200),
        ("192.168.0.9", 200),
        ("costs.example.com", 200),
        ("COSTS.example.com.:443", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("", 421),
    ],
)
def test_only_names_of_ours_are_answered_to(ledger, desk, host, status):
    client = client_of(ledger, desk, hosts=frozenset({"costs.example.com"}))
    answer = client.get("/prices", headers={"host": host})
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("route", PAGES, ids=lambda route: route.path)
def test_a_stranger_sees_no_page_in_any_form(closed, route):
    assert closed.get(route.path).headers["location"].startswith("/sign-in?next=")
    for form in ("csv", "json"):
        answer = closed.get(f"{route.path}?format={form}")
        assert (answer.status_code, answer.text) == (401, "Sign in first.\n")


def test_signing_in_goes_back_to_what_was_asked_and_out_again(closed):
    asked = closed.get("/explore?range=7d")
    page = closed.get(asked.headers["location"])
    assert 'value="/explore?range=7d"' in page.text
    before = closed.cookies[COOKIE]
    answer = sign_in(closed, VIEWER, next="/explore?range=7d")
    assert (answer.status_code, answer.headers["location"]) == (303, "/explore?range=7d")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert closed.cookies[COOKIE] != before
    here = closed.get("/explore?range=7d")
    assert here.status_code == 200
    assert "vera" in here.text
    out = closed.post("/sign-out", data={"form_token": form_token(here.text)})
    assert out.headers["location"] == "/sign-in"
    assert closed.get("/").status_code == 303


def test_a_wrong_token_is_refused_and_not_shown_again(closed):
    answer = sign_in(closed, "wrong-token-9876543210")
    assert answer.status_code == 401
    assert "No user has that token." in answer.text
    assert "9876543210" not in answer.text
    assert closed.get("/").status_code == 303


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(closed, back):
    assert sign_in(closed, VIEWER, next=back).headers["location"] == "/"


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form_token": ""}, {}),
        ({"form_token": "0" * 64}, {}),
        ({}, {"origin": "http://evil.example"}),
        ({}, {"sec-fetch-site": "cross-site"}),
        ({"filler": "x" * 70_000}, {}),
    ],
)
def test_a_form_from_elsewhere_does_nothing(closed, fields, headers):
    page = closed.get("/sign-in")
    data = {"form_token": form_token(page.text), "token": VIEWER} | fields
    assert closed.post("/sign-in", data=data, headers=headers).status_code == 403
    assert closed.get("/").status_code == 303


def test_a_form_without_its_session_does_nothing(ledger, desk):
    client = client_of(ledger, desk)
    page = client.get("/prices")
    client.cookies.clear()
    data = {"form_token": form_token(page.text), "theme": "dark"}
    assert client.post("/theme", data=data).status_code == 403


def test_a_session_ends():
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    session = sessions.sign_in(USERS[0])
    assert sessions.user(session) == USERS[0]
    now[0] = SESSION_S
    assert sessions.user(session) is None


def test_a_form_leads_back_to_the_longest_address_there_is(client):
    pairs = [("where", f"feature={n}{'é' * 450}") for n in range(10)]
    address = str(client.build_request("GET", "/prices", params=pairs).url.raw_path, "ascii")
    data = {"form_token": form_token(client.get(address).text), "theme": "dark", "next": address}
    answer = client.post("/theme", data=data)
    assert (answer.status_code, answer.headers["location"]) == (303, address)


def test_the_theme_is_remembered(client):
    page = client.get("/prices")
    answer = client.post("/theme", data={"form_token": form_token(page.text), "theme": "dark", "next": "/prices"})
    assert answer.headers["location"] == "/prices"
    assert '<html lang="en" data-theme="dark">' in client.get("/prices").text


def test_roles_and_scopes_decide_which_pages_there_are(ledger, desk):
    reached = {}
    for name, token in (("viewer", VIEWER), ("operator", OPERATOR), ("scoped", SCOPED)):
        client = client_of(ledger, desk, CLOSED)
        sign_in(client, token)
        reached[name] = {route.path for route in PAGES if client.get(route.path).status_code != 403}
        menu = client.get("/").text
        assert all((f'href="{route.path}"' in menu) == (route.path in reached[name]) for route in PAGES if route.label)
    everything = {route.path for route in PAGES}
    assert reached["operator"] == everything
    assert reached["viewer"] == everything - {"/health"}
    assert reached["scoped"] == everything - {"/health", "/playbook", "/alerts"}


def test_a_proxy_says_who_it_is_and_nobody_else_does(ledger, desk):
    inside = client_of(ledger, desk, BEHIND, address="10.0.0.7")
    assert "otto" in inside.get("/", headers={"X-User": "otto"}).text
    assert inside.get("/", headers={"X-User": "nobody"}).status_code == 303
    assert inside.get("/", headers=[("X-User", "otto"), ("X-User", "vera")]).status_code == 303
    outside = client_of(ledger, desk, BEHIND, address="10.0.1.7")
    assert outside.get("/", headers={"X-User": "otto"}).status_code == 303


@pytest.mark.parametrize(
    ("origin", "site", "is_ours"),
    [
        (None, None, True),
        ("http://127.0.0.1:8790", "same-origin", True),
        ("null", None, False),
        ("http://127.0.0.1:9999", None, False),
        (None, "same-site", False),
    ],
)
def test_where_a_form_came_from(origin, site, is_ours):
    assert is_from_here(origin, site, "127.0.0.1:8790") is is_ours


@pytest.mark.parametrize(
    "query", ["range=soon", "by=nonsense", "page=0", "sort=nonsense", "wher=tenant=a", "tz=Mars/X"]
)
def test_a_question_that_cannot_be_read_says_so(client, query):
    answer = client.get(f"/explore?{query}")
    assert answer.status_code == 400
    assert "read" in answer.text
    assert client.get(f"/explore?{query}&format=json").status_code == 400


def test_methods_that_a_page_does_not_have_do_nothing(client):
    assert isinstance(client, TestClient)
    answers = {route.path: client.post(route.path).status_code for route in PAGES}
    assert answers == {route.path: 405 if route.act is None else 403 for route in PAGES}


ACTS = [route for route in PAGES if route.act is not None]


@pytest.mark.parametrize("route", ACTS, ids=lambda route: route.path)
def test_an_act_needs_the_token_of_its_own_session_and_an_origin_of_ours(ledger, desk, route):
    mine, other = client_of(ledger, desk), client_of(ledger, desk)
    token, stolen = (form_token(client.get(route.path).text) for client in (mine, other))
    here = {"act": "no such act", "next": "https://evil.example/"}
    assert mine.post(route.path, data={**here, "form_token": token}).status_code == 400
    for fields, headers in (
        ({}, {}),
        ({"form_token": ""}, {}),
        ({"form_token": stolen}, {}),
        ({"form_token": token}, {"origin": "http://evil.example"}),
        ({"form_token": token}, {"origin": "null"}),
        ({"form_token": token}, {"sec-fetch-site": "cross-site"}),
        ({"form_token": token}, {"sec-fetch-site": "same-site"}),
    ):
        answer = mine.post(route.path, data={**here, **fields}, headers=headers)
        assert answer.status_code == 403
        assert "That form is not ours" in answer.text
    assert mine.get(f"{route.path}?act=undo&step=1").status_code == 400


@pytest.mark.parametrize("route", ACTS, ids=lambda route: route.path)
@pytest.mark.parametrize("token", [VIEWER, SCOPED])
def test_an_act_needs_its_role_and_its_scope(closed, route, token):
    sign_in(closed, token)
    fields = {"form_token": form_token(closed.get("/prices").text), "act": "apply", "step": "1", "incident": "1"}
    answer = closed.post(route.path, data=fields)
    assert answer.status_code == 403
    assert "It takes the role of operator." in answer.text
