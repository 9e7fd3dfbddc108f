"""Logs in for schemathesis: an administrator's token for every operation, a session to spend for those that end one, and a
client's secret for what only clients call."""

import base64
import os

import requests
import schemathesis

BASE = os.environ["VESTIBULE_URL"]
ACCOUNT = {"email": os.environ["VESTIBULE_EMAIL"], "password": os.environ["VESTIBULE_PASSWORD"]}
CLIENT = base64.b64encode(f"{os.environ['CLIENT_ID']}:{os.environ['CLIENT_SECRET']}".encode()).decode()
# What clients call, in their own name.
BY_CLIENTS = ("/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/par", "/oauth/device_authorization")
# What takes the caller's own session away.
ENDS_SESSIONS = ("/auth/logout", "/auth/logout-all", "/auth/sessions/{id}")


def log_in():
    answer = requests.post(f"{BASE}/auth/login", json=ACCOUNT, timeout=10)
    answer.raise_for_status()
    return answer.json()["access_token"]


def is_accepted(token):
    answer = requests.post(f"{BASE}/auth/verify", json={"token": token}, timeout=10)
    return answer.ok and answer.json()["active"]


@schemathesis.auth(refresh_interval=None)
class Login:
    """The token lives as long as its session; one that was ended by a call is replaced."""

    token = None

    def get(self, case, context):
        if case.operation.path in BY_CLIENTS:
            return f"Basic {CLIENT}"
        return f"Bearer {self.token_for(case)}"

    def token_for(self, case):
        if case.operation.path in ENDS_SESSIONS:
            return log_in()
        if Login.token is None or not is_accepted(Login.token):
            Login.token = log_in()
        return Login.token

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": data}
