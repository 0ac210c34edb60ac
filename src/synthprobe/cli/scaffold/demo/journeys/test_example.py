"""A first journey. Replace it with a path your users walk; a test under journeys/ is all it takes."""

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, step


@pytest.mark.journey(id="sign-in-page", owner="first-line", severity="normal", runbook="sign-in-page", budget="20s")
def test_the_sign_in_page_is_there(page: Page, api: Api):
    """The sign-in page is there, and the system behind it is ready"""
    with step("open the sign-in page", budget="8s"):
        page.goto("/login")
        expect(page.get_by_role("button", name="Log in")).to_be_visible()
    with step("the system behind it is ready", budget="4s"):
        api.get("/readyz").expect(200)
