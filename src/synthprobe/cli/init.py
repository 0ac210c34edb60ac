"""``synthprobe init``."""

from __future__ import annotations

import ipaddress
import json
import re
import shlex
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import unquote, urlsplit

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.root import is_project

if TYPE_CHECKING:
    from synthprobe.browser.first_look import Site
    from synthprobe.targets.proxy import Proxy

_EVERYWHERE = {"github/workflows/journeys.yml": ".github/workflows/journeys.yml", "gitignore": ".gitignore"}
_DEMO = {
    "demo/synthprobe.toml": "synthprobe.toml",
    "demo/conftest.py.txt": "conftest.py",
    "demo/drills.py.txt": "drills.py",
    "demo/journeys/test_example.py": "journeys/test_example.py",
    "demo/runbooks/sign-in-page.md": "runbooks/sign-in-page.md",
}
"""Each file, and where it goes: dot files and conftest.py are stored under names nothing acts on."""

_PINNED = ("synthprobe", "playwright", "pytest", "pytest-playwright")
_LOCK = "uv pip compile --generate-hashes --python-version 3.12 pyproject.toml -o requirements.lock"
_PASSWORD = "PROXY_PASSWORD"  # noqa: S105 - the name of a variable
_ENV = f"        env:\n          {_PASSWORD}: ${{{{ secrets.{_PASSWORD} }}}}\n"
_RUNS_WITH = (
    "2\n        # env:\n        #   STAGING_PROBE_PASSWORD: ${{ secrets.STAGING_PROBE_PASSWORD }}\n",
    f"2\n{_ENV}",
)
_SWEEPS_WITH = ("        # env: the same secrets as above, when the sweeper signs in with them\n", _ENV)
_STAGING = ("staging", "stage", "test", "dev", "qa", "preprod", "sandbox")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project.")] = Path(),
    base_url: Annotated[str | None, typer.Option(help="Address of the system to watch.")] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Proxy to look through, as `http://user@proxy.example.org:3128`; without it the machine's own.",
        ),
    ] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Watch the dispatch centre that comes with synthprobe.")] = False,
) -> None:
    """Begin a project: configuration, a first journey, a runbook, the workflow that runs it every five minutes.

    The site is opened, and the journey checks what was found there. Nothing that is there already is overwritten.
    """
    if demo and base_url is not None:
        raise ConfigurationError(
            "A project begins with one system: --base-url is for your own, --demo for the dispatch centre that comes "
            f"with synthprobe, not both. Nothing was written. Yours: synthprobe init --base-url {shlex.quote(base_url)}"
        )
    if not demo and base_url is None:
        raise ConfigurationError(
            "Which system is to be watched? Give its address: synthprobe init --base-url https://shop.example.org. "
            "To try synthprobe on the dispatch centre that comes with it: synthprobe init --demo"
        )
    if is_project(folder):
        raise ToolError(
            f"synthprobe.toml is there already in {folder.absolute()}, and nothing was written. Choose another folder, "
            "or add a table [targets.NAME] to it."
        )
    console = open_console()
    way: Proxy | None = None
    if base_url is None:
        written = {place: _scaffold(source) for source, place in (_DEMO | _EVERYWHERE).items()}
        name, extra = "demo", "[alerts,demo]"
    else:
        from synthprobe.browser.first_look import look_at
        from synthprobe.targets.target import check_base_url

        check_base_url("NAME", base_url)
        way, password = _proxy(proxy, base_url)
        if way is not None:
            console.print(_through(way, given=proxy is not None))
        site = look_at(base_url, ENVIRONMENT, proxy=way, password=password)
        for line in _found(site, base_url):
            console.print(line)
        name, extra = _target_name(site.origin), "[alerts]"
        written = _of_site(site, name, way) | {place: _scaffold(source) for source, place in _EVERYWHERE.items()}
    workflow = ".github/workflows/journeys.yml"
    written[workflow] = written[workflow].replace("""'["demo"]'""", f"""'["{name}"]'""")
    if way is not None and way.user:
        written[workflow] = written[workflow].replace(*_RUNS_WITH).replace(*_SWEEPS_WITH)
    written["pyproject.toml"] = _pyproject(folder, extra)
    for place, text in written.items():
        path = folder / place
        if path.exists():
            console.print(f"kept  {path}, which is there already{_missing(place)}")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        console.print(f"wrote {path}")
    console.print(f"For the workflow, lock what it installs, and commit requirements.lock: {_LOCK}")
    if way is not None and way.user and not ENVIRONMENT.get(_PASSWORD):
        console.print(f"Set the password of the proxy first: export {_PASSWORD}=…")
    for line in _next_steps(folder):
        console.print(line)


def _scaffold(source: str) -> str:
    return (files("synthprobe.cli") / "scaffold").joinpath(source).read_text("utf-8")


def _proxy(given: str | None, base_url: str) -> tuple[Proxy | None, str]:
    """The proxy to look through, and its password: the one that is given, else the one this machine names."""
    from requests.utils import get_environ_proxies, select_proxy

    from synthprobe.targets.proxy import Proxy, wrong_address

    named = given
    if named is None and not re.match(r"https?://(localhost|127\.[\d.]+|\[::1\])(:|/|$)", base_url):
        named = select_proxy(base_url, get_environ_proxies(base_url))
    if named is None:
        return None, ""
    place = urlsplit(named if "://" in named else f"http://{named}")
    address = f"{place.scheme}://{place.netloc.rpartition('@')[2]}".lower()
    if why := wrong_address(address):
        source = "--proxy is" if given is not None else "This machine names the proxy"
        way = "" if given is not None else " Give another by --proxy, or take it out of the environment."
        raise ConfigurationError(f"{source} {address!r}{why}{way}")
    user = unquote(place.username or "")
    password = unquote(place.password or "") or ENVIRONMENT.get(_PASSWORD, "")
    return Proxy(address=address, user=user, secret="proxy" if user else ""), password


def _through(proxy: Proxy, *, given: bool) -> str:
    """Which proxy is used, and what of it is written."""
    who = f", as {proxy.user}" if proxy.user else ""
    sentence = f"Looking through the proxy {'' if given else 'that this machine names: '}{proxy.address}{who}."
    kept = " It is written into synthprobe.toml, since journeys use no proxy that only the machine names."
    return sentence + kept + (f" Its password is not: set {_PASSWORD} wherever journeys run." if proxy.user else "")


def _found(site: Site, given: str) -> Iterator[str]:
    if site.trouble:
        yield f"{given} was not seen: {site.trouble} The journey only checks that it answers with status 200."
        return
    seen = [f'title "{site.title}"' if site.title else "", f'heading "{site.heading}"' if site.heading else ""]
    seen += [
        f"data at {site.api}" if site.api else "",
        f"hosts beside it: {', '.join(site.hosts)}" if site.hosts else "",
    ]
    yield f"Found at {site.origin}{site.path}: {'; '.join(filter(None, seen)) or 'a page without title and heading'}."


def _target_name(origin: str) -> str:
    """Local, staging or production, by what the host's name says; an unknown one is handled with care."""
    host = urlsplit(origin).hostname or ""
    try:
        is_local = ipaddress.ip_address(host).is_private
    except ValueError:
        is_local = host == "localhost" or "." not in host or host.endswith((".local", ".test", ".internal"))
    if is_local:
        return "local"
    words = host.replace("-", ".").split(".")
    return "staging" if any(word in _STAGING for word in words) else "production"


def _of_site(site: Site, name: str, proxy: Proxy | None) -> dict[str, str]:
    page = site.is_page and not site.trouble
    given = {"site": site, "name": name, "proxy": proxy, "password": _PASSWORD}
    given |= {"page": page, "api": site.api or ("" if page else site.path)}
    places = ("synthprobe.toml", "journeys/test_home_page.py", "runbooks/home-page.md")
    return {place: _rendered(f"site/{place}.j2", **given) for place in places}


def _pyproject(folder: Path, extra: str) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", folder.absolute().name).strip("-").lower() or "journeys"
    pins = [f"{package}{extra if package == _PINNED[0] else ''}=={version(package)}" for package in _PINNED]
    return _rendered("site/pyproject.toml.j2", name=name, lock=_LOCK, pins=pins)


def _rendered(template: str, **given: object) -> str:
    from jinja2 import Environment, PackageLoader, select_autoescape  # most commands begin no project

    environment = Environment(
        loader=PackageLoader("synthprobe.cli", "scaffold"),
        autoescape=select_autoescape(),  # pages of the web only, and these are none
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = json.dumps
    environment.filters["shell"] = shlex.quote
    environment.filters["shown"] = partial(json.dumps, ensure_ascii=False)
    return environment.get_template(template).render(given)


def _missing(place: str) -> str:
    if place == ".gitignore":
        return "; add .synthprobe/ to it"
    return f"; add synthprobe=={version('synthprobe')} to it" if place == "pyproject.toml" else ""


def _next_steps(folder: Path) -> Iterator[str]:
    from synthprobe.browser.installation import find_browser

    if find_browser() is None:
        yield "No browser is on this machine. Get one: synthprobe doctor --fix"
    here = folder.absolute()
    repository = next((place for place in (here, *here.parents) if (place / ".git").exists()), here)
    if repository != here:
        yield (
            f"GitHub runs only the workflows in {repository / '.github/workflows'}. Move journeys.yml there, and put "
            f"{here.relative_to(repository)} before the files it names and as working-directory of its steps."
        )
    into = f"cd {shlex.quote(str(folder))} && " if folder != Path() else ""
    yield f"Try it: {into}synthprobe run. Then look at it: synthprobe report --serve"
