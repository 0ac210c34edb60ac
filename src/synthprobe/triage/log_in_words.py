"""Words in which a log-in is refused for the state of an account, or for what was sent; English and its neighbours.

They name an account, a password or a log-in, and what is wrong with it. That a server cannot be reached says neither.
"""

from __future__ import annotations

import re

_HELD = (
    r"(account|password|user|log-?in|subscription|membership|licen[cs]e"
    r"|(benutzer)?konto|zugang|passwort|kennwort|compte|mot de passe|cuenta|contraseña|conta|senha|wachtwoord)"
)
_ENDED = (
    r"(expired|locked|disabled|suspended|blocked|deactivated"
    r"|abgelaufen|gesperrt|deaktiviert|expiré|bloqué|désactivé|suspendu|caducad|bloquead|desactivad|desativad|scadut"
    r"|bloccat|disattivat|verlopen|geblokkeerd|uitgeschakeld)"
)
OF_ACCOUNT = re.compile(
    rf"\b{_HELD}\b.{{0,40}}\b{_ENDED}|\b{_ENDED}\b.{{0,20}}\b{_HELD}|must change|change (your|the) password",
    re.IGNORECASE,
)
_SENT = (
    r"(anmeldung|login|anmeldedaten|zugangsdaten|benutzer\w*|passwort|kennwort|authentification|identifiants?"
    r"|mot de passe|inicio de sesión|usuario|contraseña|credenciales|autenticación|utente|password|credenziali"
    r"|autenticazione|utilizador|usuário|senha|credenciais|autenticação|gebruikers\w*|wachtwoord|aanmelding|inloggen)"
)
_WRONG = (
    r"(fehlgeschlagen|falsch\w*|ungültig\w*|(nicht|un)korrekt|incorrecte?s?|invalides?|erronée?s?|échou\w*|incorrect[oa]s?"
    r"|inválid[oa]s?|err[aó]ne[oa]s?|fallid[oa]|errat[oaie]|non valid[oaie]|fallit[oa]|incorret[oa]s?|falhou"
    r"|onjuiste?|ongeldige?|mislukt|échec)"
)
OF_LOG_IN = re.compile(
    r"invalid[ _]((?!client)\w+[ _]){0,3}(user|log|cred|grant|pass|acc)"
    r"|(incorrect|wrong|bad|unknown|correct) (\w+ ){0,3}(user|log|cred|pass|e-?mail|acc)"
    r"|(do|does|did) not match|authentication failed|log-?in failed|not recogni[sz]ed"
    r"|(user|log-?in|pass\w+|credentials|e-?mail)[^.;:!?]{0,60} (is|are|was|were) (wrong|incorrect|invalid|unknown)"
    rf"|\b{_SENT}\b[^.;:!?]{{0,40}}\b{_WRONG}\b|\b{_WRONG}\b[^.;:!?]{{0,20}}\b{_SENT}\b",
    re.IGNORECASE,
)
