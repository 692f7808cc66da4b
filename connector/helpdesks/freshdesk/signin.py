"""How requests to Freshdesk are signed in: Basic with an agent's API key."""

import base64

from connector.errors import SettingsError, SignInRefused
from connector.http import Answer, Authorizer
from connector.settings import SignIn


class ApiKey:
    """An agent's key; there is one for each agent, and a reset ends it at once."""

    def __init__(self, key: str) -> None:
        self._value = "Basic " + base64.b64encode(f"{key}:X".encode()).decode("ascii")

    def authorization(self) -> str:
        """The header's value."""
        return self._value

    def renew(self, _refused: str, /) -> bool:
        """A key is what it is."""
        return False


def sign_in(settings: SignIn) -> Authorizer:
    """The way that the settings describe."""
    if settings.api_key is None:
        raise SettingsError("sign_in: Freshdesk needs api_key, of an agent who may write tickets")
    return ApiKey(settings.api_key.get_secret_value())


def refusal(answer: Answer) -> SignInRefused | None:
    """What an answer of 401 says; None for any other answer."""
    if answer.status != 401:
        return None
    return SignInRefused(
        "Freshdesk does not accept the API key (401): it is wrong, was reset or disabled, or its "
        "agent is deactivated; copy the key anew from the profile of an active agent"
    )
