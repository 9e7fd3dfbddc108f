"""Authlib against a running server; the pages are forms that are read and posted, as a browser without scripts would."""

import json
import os
import sys
import time
from html.parser import HTMLParser
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

with open(os.environ["VESTIBULE_CLIENTS"], encoding="utf-8") as file:
    KNOWN = json.load(file)
ISSUER, CALLBACK = KNOWN["issuer"], KNOWN["callback"]
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class Page(HTMLParser):
    """The first form of a page: its action, fields and buttons."""

    def __init__(self, answer):
        super().__init__()
        self.url, self.action, self.fields, self.buttons = answer.url, None, {}, {}
        self._button = None
        self.feed(answer.text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            assert self.action is None and attrs["method"] == "post"
            self.action = urljoin(self.url, attrs["action"])
        elif tag == "input":
            self.fields[attrs["name"]] = attrs.get("value", "")
        elif tag == "button":
            self._button = attrs

    def handle_data(self, data):
        if self._button is not None and data.strip():
            self.buttons[data.strip()] = self._button

    def handle_endtag(self, tag):
        if tag == "button":
            self._button = None


class Person:
    """Somebody with a browser that keeps cookies."""

    def __init__(self):
        self.browser = requests.Session()
        self.browser.trust_env = False

    def follow(self, answer):
        """Follows redirects, but not to the application: gives its URL instead."""
        while answer.is_redirect:
            target = urljoin(answer.url, answer.headers["location"])
            if target.startswith(CALLBACK):
                return target
            answer = self.browser.get(target, allow_redirects=False)
        return answer

    def open(self, url):
        return self.follow(self.browser.get(url, allow_redirects=False))

    def press(self, answer, button, **typed):
        page = Page(answer)
        assert set(typed) <= set(page.fields), (typed, page.fields)
        assert any("csrf" in name for name in page.fields), page.fields
        pressed = page.buttons[button]
        fields = {**page.fields, **typed}
        if "name" in pressed:
            fields[pressed["name"]] = pressed["value"]
        return self.follow(self.browser.post(page.action, data=fields, allow_redirects=False))

    def log_in(self, answer):
        return self.press(answer, "Log in", email=KNOWN["email"], password=KNOWN["password"])


def session(client, **more):
    known = KNOWN[client]
    method = "client_secret_basic" if "client_secret" in known else "none"
    made = OAuth2Session(
        known["client_id"],
        known.get("client_secret"),
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        **more,
    )
    made.trust_env = False
    return made


def refused(call, error):
    try:
        call()
    except OAuthError as fault:
        assert fault.error == error, fault
    else:
        raise AssertionError(f"expected {error}")


def identify(token, metadata, client, nonce):
    """The claims of an id token, with its signature and every claim looked at."""
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    algorithms = metadata["id_token_signing_alg_values_supported"]
    decoded = jwt.decode(token["id_token"], keys, algorithms=algorithms)
    options = {
        "iss": {"essential": True, "value": ISSUER},
        "aud": {"essential": True, "value": client},
    }
    params = {"nonce": nonce, "client_id": client, "access_token": token["access_token"]}
    claims = CodeIDToken(decoded.claims, decoded.header, options, params)
    claims.validate()
    return claims


def discovery(state):
    answer = requests.get(f"{ISSUER}/.well-known/openid-configuration", timeout=10)
    state["metadata"] = answer.json()
    assert state["metadata"]["issuer"] == ISSUER
    other = requests.get(f"{ISSUER}/.well-known/oauth-authorization-server", timeout=10)
    assert other.json()["token_endpoint"] == state["metadata"]["token_endpoint"]


def code_with_pkce(state):
    metadata, client = state["metadata"], session("web", scope="openid profile email offline_access")
    verifier, nonce = generate_token(48), generate_token(20)
    url, sent = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    person = Person()
    page = person.log_in(person.open(url))
    # The consent of the other test may be remembered.
    back = page if isinstance(page, str) else person.press(page, "Allow")
    query = parse_qs(urlsplit(back).query)
    assert (query["state"], query["iss"]) == ([sent], [ISSUER]), back
    token = client.fetch_token(
        metadata["token_endpoint"], authorization_response=back, state=sent, code_verifier=verifier
    )
    claims = identify(token, metadata, KNOWN["web"]["client_id"], nonce)
    user = client.get(metadata["userinfo_endpoint"]).json()
    assert (user["sub"], user["email"]) == (claims["sub"], KNOWN["email"]), user
    code = query["code"][0]
    state.update(client=client, person=person, code=code, verifier=verifier)


def refresh(state):
    client, before = state["client"], dict(state["client"].token)
    after = client.refresh_token(state["metadata"]["token_endpoint"], before["refresh_token"])
    assert after["refresh_token"] != before["refresh_token"]
    assert client.get(state["metadata"]["userinfo_endpoint"]).status_code == 200


def introspect_and_revoke(state):
    client, metadata = state["client"], state["metadata"]
    token = client.token["access_token"]
    about = client.introspect_token(metadata["introspection_endpoint"], token=token).json()
    assert about["active"] and about["client_id"] == KNOWN["web"]["client_id"], about
    refresh_token = client.token["refresh_token"]
    answer = client.revoke_token(metadata["revocation_endpoint"], token=refresh_token, token_type_hint="refresh_token")
    assert answer.status_code == 200, answer.text
    assert client.introspect_token(metadata["introspection_endpoint"], token=token).json() == {"active": False}
    assert requests.get(
        metadata["userinfo_endpoint"], headers={"authorization": f"Bearer {token}"}, timeout=10
    ).status_code == 401
    refused(lambda: client.refresh_token(metadata["token_endpoint"], refresh_token), "invalid_grant")


def code_twice(state):
    refused(
        lambda: session("web").fetch_token(
            state["metadata"]["token_endpoint"], code=state["code"], code_verifier=state["verifier"]
        ),
        "invalid_grant",
    )


def client_credentials(state):
    endpoint = state["metadata"]["token_endpoint"]
    token = session("robot").fetch_token(endpoint, grant_type="client_credentials", scope="users:read")
    assert "refresh_token" not in token
    answer = requests.get(f"{ISSUER}/users", headers={"authorization": f"Bearer {token['access_token']}"}, timeout=10)
    assert answer.status_code in (200, 404), answer.text
    refused(
        lambda: session("robot").fetch_token(endpoint, grant_type="client_credentials", scope="users:write"),
        "invalid_scope",
    )


def device(state):
    metadata, known, client = state["metadata"], KNOWN["tv"], session("tv")
    answer = requests.post(
        metadata["device_authorization_endpoint"],
        data={"client_id": known["client_id"], "scope": "openid email"},
        timeout=10,
    ).json()

    def poll():
        return client.fetch_token(
            metadata["token_endpoint"], grant_type=DEVICE_CODE, device_code=answer["device_code"]
        )

    refused(poll, "authorization_pending")
    person = state["person"]
    page = person.open(answer["verification_uri_complete"])
    if "user_code" in Page(page).fields and "Continue" in Page(page).buttons:
        page = person.press(page, "Continue", user_code=answer["user_code"])
    done = person.press(page, "Allow")
    assert done.status_code == 200, done.text
    time.sleep(answer["interval"])
    assert poll()["access_token"]
    refused(poll, "invalid_grant")


def main():
    state = {}
    steps = [discovery, code_with_pkce, refresh, introspect_and_revoke, code_twice, client_credentials, device]
    for number, step in enumerate(steps, 1):
        try:
            step(state)
        except BaseException:
            print(f"not ok {number} - {step.__name__}")
            raise
        print(f"ok {number} - {step.__name__}")
    print(f"1..{len(steps)}")


if __name__ == "__main__":
    sys.exit(main())
