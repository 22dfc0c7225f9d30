"""A code that a person enters in a browser elsewhere."""

import time

from supportaccess.errors import StoreUnavailable
from supportaccess.signin import msal_clients
from supportaccess.signin.method import Request, Result


def sign_in(request: Request) -> Result:
    """Give a person a code, and wait until it is entered or ends."""
    application = msal_clients.public(request.registration, request.cache)
    flow = application.initiate_device_flow(list(request.registration.scopes), claims_challenge=request.claims)
    if "user_code" not in flow:
        return dict(flow)
    minutes = max(int(flow.get("expires_in", 900)) // 60, 1)
    request.say(
        f"Open {flow['verification_uri']} in any browser and enter the code {flow['user_code']}.\n"
        f"It is good for {minutes} minutes. Ctrl-C gives up."
    )
    while True:
        try:
            result: Result = application.acquire_token_by_device_flow(flow, claims_challenge=request.claims)
        except StoreUnavailable:
            # The person may be in the middle of it: a network that drops out for a moment does not end that.
            if time.time() + flow["interval"] > flow["expires_at"]:
                raise
            time.sleep(flow["interval"])
        else:
            return result
