"""What to do about an error whose own text says only what is wrong. A table, and nothing else."""

from __future__ import annotations

from typing import Final

from heatpool_client.fault_codes import Fault, Words

_FOLDER: Final = Words(
    "Look at the disk (`df`, `dmesg`) and at the folder's owner; it has to be the logger's user.",
    "Bitte den Speicher (`df`, `dmesg`) und den Eigentümer des Ordners prüfen; es muss der Benutzer"
    " des Loggers sein.",
)
_ADDRESS: Final = Words(
    "Check `server` in config.toml, the network's sign-in page and the proxy.",
    "Bitte `server` in config.toml, die Anmeldeseite des Netzes und den Proxy prüfen.",
)
ADVICE: Final[dict[Fault, Words]] = {
    Fault.CONFIG_INVALID: Words(
        "Mend what is named in config.toml, source.toml or alerts.toml.",
        "Bitte das Genannte in config.toml, source.toml oder alerts.toml berichtigen.",
    ),
    Fault.TOKEN_MISSING: Words(
        "The pool's operator gives one.", "Der Betreiber des Datenpools gibt eines aus."
    ),
    Fault.ALREADY_INITIALISED: Words("Nothing: `heatpool status`.", "Nichts: `heatpool status`."),
    Fault.KEYS_DAMAGED: Words(
        "Put your copy of identity.json back; without one, `heatpool init --home` makes a new "
        "installation.",
        "Bitte die Kopie von identity.json zurückspielen; ohne Kopie richtet `heatpool init --home`"
        " eine neue Installation ein.",
    ),
    Fault.STATE_UNUSABLE: _FOLDER,
    Fault.SPOOL_UNUSABLE: _FOLDER,
    Fault.CONSENT_DAMAGED: Words(
        "Move consent.jsonl away and decide again with `heatpool consent`.",
        "Bitte consent.jsonl beiseitelegen und mit `heatpool consent` neu entscheiden.",
    ),
    Fault.CONSENT_OTHER_VERSION: Words(
        "Read it: `heatpool consent`.", "Lesen: `heatpool consent`."
    ),
    Fault.DO_NOT_TRACK: Words(
        "Nothing, if that is meant; else unset it for this program.",
        "Nichts, falls gewollt; sonst die Variable für dieses Programm löschen.",
    ),
    Fault.TRUST_REJECTED: Words(
        "Ask the pool's operator for its trust files and believe them in order: `heatpool trust`.",
        "Bitte die Vertrauensdateien beim Betreiber holen und der Reihe nach `heatpool trust`.",
    ),
    Fault.MODEL_REJECTED: Words(
        "Nothing at home: tell the pool's operator; the present detector goes on.",
        "Zu Hause nichts: bitte den Betreiber benachrichtigen; das bisherige Modell läuft weiter.",
    ),
    Fault.UNREACHABLE: Words(
        "Readings wait on disk meanwhile. Check the network, then `server` in config.toml.",
        "Messwerte warten so lange auf dem Speicher. Bitte Netz, dann `server` in config.toml "
        "prüfen.",
    ),
    Fault.ANSWER_GARBLED: _ADDRESS,
    Fault.REDIRECTED: _ADDRESS,
    Fault.REFUSED: Words(
        "`heatpool spool` shows what and why; a token comes from the pool's operator.",
        "`heatpool spool` zeigt was und warum; ein Token gibt der Betreiber des Datenpools.",
    ),
    Fault.MAP_INVALID: Words(
        "Mend the map; `heatpool sources check` shows each value.",
        "Bitte die Zuordnung berichtigen; `heatpool sources check` zeigt jeden Wert.",
    ),
    Fault.FILE_UNREADABLE: _FOLDER,
    Fault.BROKER_UNREACHABLE: Words(
        "Check host, port and password in alerts.toml or source.toml.",
        "Bitte Rechner, Port und Kennwort in alerts.toml oder source.toml prüfen.",
    ),
    Fault.SOURCE_UNREACHABLE: Words(
        "Check that it is on, then source.toml; `heatpool sources check` tries once.",
        "Bitte prüfen, ob sie läuft, dann source.toml; `heatpool sources check` liest einmal.",
    ),
}
