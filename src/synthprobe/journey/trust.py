"""Makes authorities of one's own known to whoever checks certificates: requests, Playwright's driver, Chromium."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from synthprobe.environment import cache_folder
from synthprobe.errors import ToolError
from synthprobe.files import owner_of_ours, private_folder

_FOR_SERVERS = 1 << 3 | 1 << 4
"""NSS: a valid authority, trusted to sign certificates of servers (certutil writes it as ``C``)."""

_KEPT_S = 30 * 86400.0
"""Seconds for which a database is kept that no session asks for."""


class _Item(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("data", ctypes.c_char_p), ("length", ctypes.c_uint))


class _Trust(ctypes.Structure):
    _fields_ = (("servers", ctypes.c_uint), ("mail", ctypes.c_uint), ("objects", ctypes.c_uint))


def like_browsers(context: ssl.SSLContext) -> ssl.SSLContext:
    """Have a context trust what a browser trusts: from 3.13 on, Python refuses authorities without key identifiers."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@cache
def authority_file(authorities: str) -> str:
    """A file with these authorities alone, as Node takes it."""
    path = _folder() / f"own-{len(list(_folder().iterdir()))}.pem"
    path.write_text(authorities)
    return str(path)


@cache
def locked_file(content: bytes) -> str:
    """A file with a client certificate and its key, which stays locked."""
    path = _folder() / f"shown-{len(list(_folder().iterdir()))}.pem"
    path.write_bytes(content)
    return str(path)


@cache
def bundle(authorities: str) -> str:
    """A file with these authorities and those everybody knows, as requests takes it."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return authority_file(Path(DEFAULT_CA_BUNDLE_PATH).read_text("utf-8") + "\n" + authorities)


@cache
def trusting_home(authorities: str) -> str:
    """A home folder in which Chromium finds these authorities, beside those it knows itself.

    Chromium takes them on Linux from the user's NSS database only, which the library makes that Chromium itself needs.
    """
    home = _folder() / f"home-{len(list(_folder().iterdir()))}"
    shutil.copytree(_database(authorities), home / ".pki" / "nssdb")
    return str(home)


def _database(authorities: str) -> Path:
    """The NSS database of these authorities, kept for the next session: NSS writes each one to the disk by itself."""
    kept = cache_folder() / f"authorities-{hashlib.sha256(authorities.encode()).hexdigest()[:16]}"
    if kept.is_dir() and kept.stat().st_uid == owner_of_ours() and not kept.stat().st_mode & 0o077:
        os.utime(kept)
        return kept
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    except OSError:
        made = Path(tempfile.mkdtemp(dir=_folder()))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    command = [sys.executable, "-m", __name__, str(made), authority_file(authorities)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ToolError(
            f"The browser could not be told of the authority in ca_file or the environment ({why}). That needs "
            "libnss3, which Chromium itself needs: install the browser with synthprobe doctor --fix.",
            kind="browser",
        )
    with suppress(OSError):  # another session was faster, or nothing can be kept here
        for other in kept.parent.glob("*authorities-*"):
            if other.stat().st_mtime < time.time() - _KEPT_S:
                shutil.rmtree(other, ignore_errors=True)
        made = made.rename(kept)
    return made


@cache
def _folder() -> Path:
    folder = private_folder("synthprobe-trust-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _fill(folder: str, path: str) -> None:
    """Make an NSS database that trusts each certificate of a file; runs in a process of its own."""
    nss = ctypes.CDLL("libnss3.so")
    for name in ("PK11_GetInternalKeySlot", "CERT_GetDefaultCertDB", "CERT_NewTempCertificate"):
        getattr(nss, name).restype = ctypes.c_void_p
    _must(nss.NSS_InitReadWrite(f"sql:{folder}".encode()), "NSS_InitReadWrite")
    slot, database = ctypes.c_void_p(nss.PK11_GetInternalKeySlot()), ctypes.c_void_p(nss.CERT_GetDefaultCertDB())
    _must(nss.PK11_InitPin(slot, None, b""), "PK11_InitPin")
    end = "-----END CERTIFICATE-----"
    for number, pem in enumerate(Path(path).read_text("utf-8").split(end)[:-1]):
        der = ssl.PEM_cert_to_DER_cert(pem.strip() + "\n" + end)
        item = _Item(0, der, len(der))
        certificate = ctypes.c_void_p(nss.CERT_NewTempCertificate(database, ctypes.byref(item), None, 0, 1))
        if not certificate:
            continue  # what NSS cannot read signs nothing
        trust = _Trust(_FOR_SERVERS, 0, 0)
        _must(nss.PK11_ImportCert(slot, certificate, ctypes.c_ulong(0), f"own {number}".encode(), 0), "PK11_ImportCert")
        _must(nss.CERT_ChangeCertTrust(database, certificate, ctypes.byref(trust)), "CERT_ChangeCertTrust")
        nss.CERT_DestroyCertificate(certificate)
    nss.PK11_FreeSlot(slot)
    nss.NSS_Shutdown()


def _must(status: int, what: str) -> None:
    if status:
        raise OSError(f"{what} did not work")


if __name__ == "__main__":
    _fill(*sys.argv[1:])
