"""Accessibility rules, applied in a real browser: tests/axe."""

import json
import shutil
from pathlib import Path

from tests.support.chromium import FLAGS
from tests.support.node import install
from tests.support.requirements import require
from tests.support.rings import needs

PROGRAM = Path(__file__).parents[1] / "axe"


def problems(page: Path, folder: Path, *, scheme: str) -> list[str]:
    """Return what axe finds wrong with a page, and what the browser complains of; `folder` is for its profile."""
    needs("browser")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require(chromium and driver, "Chromium and its driver: apt-get install chromium chromium-driver")
    install(PROGRAM)
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(chromium)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}", "--window-size=900,1200"):
        options.add_argument(flag)
    with Chrome(options=options, service=ChromeService(str(driver))) as chrome:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        chrome.get(page.as_uri())
        complaints = [f"browser: {each['message']}" for each in chrome.get_log("browser")]  # type: ignore[no-untyped-call]
        chrome.execute_script((PROGRAM / "node_modules" / "axe-core" / "axe.min.js").read_text())
        found = chrome.execute_async_script("axe.run().then(arguments[0])")
    return complaints + [
        f"{each['id']}: {each['help']}: {json.dumps([node['target'] for node in each['nodes']][:5])}"
        for each in found["violations"]
    ]
