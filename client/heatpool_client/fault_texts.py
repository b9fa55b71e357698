"""What is said with each code, in English and German. A table, and nothing else."""

from __future__ import annotations

from typing import Final

from heatpool_client.fault_codes import Exit, Fault, Text

TEXTS: Final[dict[Fault, Text]] = {
    Fault.NOT_INITIALISED: Text(
        Exit.SETUP,
        "There is no installation in {0}. Run `heatpool init` first.",
        "In {0} ist noch keine Installation eingerichtet. Bitte zuerst `heatpool init` ausführen.",
    ),
    Fault.ALREADY_INITIALISED: Text(
        Exit.SETUP,
        "There is an installation in {0} already; new keys would make it a stranger to the pool.",
        "In {0} ist bereits eine Installation eingerichtet; mit neuen Schlüsseln wäre sie dem "
        "Datenpool fremd.",
    ),
    Fault.CONFIG_INVALID: Text(
        Exit.SETUP, "The configuration is not valid: {0}", "Die Konfiguration ist ungültig: {0}"
    ),
    Fault.TOKEN_MISSING: Text(
        Exit.SETUP,
        "There is no access token: write it to {0} or set HEATPOOL_TOKEN.",
        "Das Zugangstoken fehlt: bitte in {0} ablegen oder HEATPOOL_TOKEN setzen.",
    ),
    Fault.FILE_EXPOSED: Text(
        Exit.SETUP,
        "Other users can read {0}. Run `chmod 600 {0}`.",
        "Andere Benutzer können {0} lesen. Bitte `chmod 600 {0}` ausführen.",
    ),
    Fault.KEYS_DAMAGED: Text(
        Exit.SETUP,
        "The keys in {0} cannot be read: {1}",
        "Die Schlüssel in {0} sind nicht lesbar: {1}",
    ),
    Fault.STATE_UNUSABLE: Text(
        Exit.SETUP,
        "The folder {0} cannot be used: {1}",
        "Der Ordner {0} ist nicht benutzbar: {1}",
    ),
    Fault.SPOOL_UNUSABLE: Text(
        Exit.SETUP,
        "The spool {0} cannot be used at the moment: {1}",
        "Der Zwischenspeicher {0} ist gerade nicht benutzbar: {1}",
    ),
    Fault.EXTRA_MISSING: Text(
        Exit.SETUP,
        "This needs another package: run `pip install 'heatpool-client[{0}]'`.",
        "Dafür fehlt ein Paket: bitte `pip install 'heatpool-client[{0}]'` ausführen.",
    ),
    Fault.BROKER_UNREACHABLE: Text(
        Exit.UNREACHABLE,
        "The MQTT broker at {0} cannot be reached: {1}",
        "Der MQTT-Broker unter {0} ist nicht erreichbar: {1}",
    ),
    Fault.SOURCE_UNREACHABLE: Text(
        Exit.UNREACHABLE,
        "The source {0} cannot be read: {1}",
        "Die Quelle {0} ist nicht lesbar: {1}",
    ),
    Fault.MAP_INVALID: Text(
        Exit.INPUT, "The map {0} is not valid: {1}", "Die Zuordnung {0} ist ungültig: {1}"
    ),
    Fault.TRUST_MISSING: Text(
        Exit.SETUP,
        "No trust file is known; get the pool's first one and run `heatpool trust FILE`.",
        "Es ist keine Vertrauensdatei bekannt; bitte die erste des Datenpools beziehen und "
        "`heatpool trust DATEI` ausführen.",
    ),
    Fault.TRUST_REJECTED: Text(
        Exit.UNTRUSTED,
        "The trust file was not accepted ({0}).",
        "Die Vertrauensdatei wurde nicht angenommen ({0}).",
    ),
    Fault.CONSENT_MISSING: Text(
        Exit.NO_CONSENT,
        "Nothing is sent without consent. Read it with `heatpool consent` and give it with "
        "`heatpool consent --accept {0}`.",
        "Ohne Einwilligung wird nichts gesendet. Lesen mit `heatpool consent`, erteilen mit "
        "`heatpool consent --accept {0}`.",
    ),
    Fault.CONSENT_OUTDATED: Text(
        Exit.NO_CONSENT,
        "The consent was given for text {0}; the text is now {1}. Read it with `heatpool consent`.",
        "Die Einwilligung gilt für Fassung {0}; der Text hat jetzt Fassung {1}. Bitte mit "
        "`heatpool consent` lesen.",
    ),
    Fault.CONSENT_OTHER_VERSION: Text(
        Exit.NO_CONSENT,
        "{0} is not the version of the consent text; it is {1}.",
        "{0} ist nicht die Fassung des Einwilligungstextes; sie lautet {1}.",
    ),
    Fault.CONSENT_DAMAGED: Text(
        Exit.NO_CONSENT,
        "The record of consents {0} cannot be read, so nothing is sent: {1}",
        "Das Verzeichnis der Einwilligungen {0} ist nicht lesbar, daher wird nichts gesendet: {1}",
    ),
    Fault.DO_NOT_TRACK: Text(
        Exit.NO_CONSENT,
        "DO_NOT_TRACK is set in the environment; nothing is sent.",
        "DO_NOT_TRACK ist in der Umgebung gesetzt; es wird nichts gesendet.",
    ),
    Fault.INSTALLATION_ERASED: Text(
        Exit.NO_CONSENT,
        "The pool was asked to forget this installation. To share again, make a new one: "
        "`heatpool init --home {0}`.",
        "Der Datenpool sollte diese Installation vergessen. Um wieder zu teilen, bitte eine neue "
        "einrichten: `heatpool init --home {0}`.",
    ),
    Fault.FILE_UNREADABLE: Text(Exit.INPUT, "{0} cannot be read: {1}", "{0} ist nicht lesbar: {1}"),
    Fault.FILE_EMPTY: Text(Exit.INPUT, "{0} is empty.", "{0} ist leer."),
    Fault.FILE_NOT_TEXT: Text(
        Exit.INPUT,
        "{0} is not text in {1}; try --encoding latin-1.",
        "{0} ist kein Text in {1}; bitte --encoding latin-1 versuchen.",
    ),
    Fault.FILE_MALFORMED: Text(Exit.INPUT, "{0}, line {1}: {2}", "{0}, Zeile {1}: {2}"),
    Fault.FILE_TOO_LARGE: Text(
        Exit.INPUT,
        "{0} has more than {1} bytes; JSON is read whole, so use JSON lines or CSV instead.",
        "{0} hat mehr als {1} Bytes; JSON wird als Ganzes gelesen, bitte JSON-Zeilen oder CSV "
        "verwenden.",
    ),
    Fault.FORMAT_UNKNOWN: Text(
        Exit.INPUT,
        "The format of {0} is not known; say --format csv, json or jsonl.",
        "Das Format von {0} ist unbekannt; bitte --format csv, json oder jsonl angeben.",
    ),
    Fault.COLUMN_MISSING: Text(
        Exit.INPUT,
        "There is no column {0!r}; there are: {1}",
        "Es gibt keine Spalte {0!r}; vorhanden sind: {1}",
    ),
    Fault.COLUMN_TWICE: Text(
        Exit.INPUT, "Two columns are named {0!r}.", "Zwei Spalten heißen {0!r}."
    ),
    Fault.TIME_COLUMN_MISSING: Text(
        Exit.INPUT,
        "Which column holds the time? Say --time-column; there are: {0}",
        "Welche Spalte enthält die Zeit? Bitte --time-column angeben; vorhanden sind: {0}",
    ),
    Fault.FIELD_NAME_INVALID: Text(
        Exit.INPUT,
        "No field can be named {1!r} (column {0!r}): a letter or _ and up to 63 more letters, "
        "digits or _; choose one with --map.",
        "Kein Feld kann {1!r} heißen (Spalte {0!r}): ein Buchstabe oder _ und bis zu 63 weitere "
        "Buchstaben, Ziffern oder _; bitte mit --map festlegen.",
    ),
    Fault.FIELD_CLASH: Text(
        Exit.INPUT,
        "Columns {0!r} and {1!r} would both become the field {2!r}; use --map or --drop.",
        "Die Spalten {0!r} und {1!r} ergäben beide das Feld {2!r}; bitte --map oder --drop nutzen.",
    ),
    Fault.TIME_FORMAT_INVALID: Text(
        Exit.INPUT,
        "{0!r} is no format of a time: {1}",
        "{0!r} ist kein Zeitformat: {1}",
    ),
    Fault.TIMEZONE_UNKNOWN: Text(
        Exit.INPUT, "There is no time zone {0!r}.", "Eine Zeitzone {0!r} gibt es nicht."
    ),
    Fault.ROW_BROKEN: Text(Exit.INPUT, "{0}, line {1}: {2} ({3!r})", "{0}, Zeile {1}: {2} ({3!r})"),
    Fault.NO_ROW_USABLE: Text(
        Exit.INPUT,
        "{0} holds no usable row; first problem: {1}",
        "{0} enthält keine brauchbare Zeile; erstes Problem: {1}",
    ),
    Fault.RECORD_TOO_LARGE: Text(
        Exit.INPUT,
        "One record takes {0} bytes, more than a request may have ({1}).",
        "Ein Datensatz hat {0} Bytes, mehr als eine Anfrage haben darf ({1}).",
    ),
    Fault.NOTHING_WAITS: Text(
        Exit.INPUT, "No readings wait to be sent.", "Es warten keine Messwerte auf das Senden."
    ),
    Fault.SHIFT_NEEDS_FILE: Text(
        Exit.INPUT,
        "--shift now reads the file twice, which standard input does not allow; give seconds.",
        "--shift now liest die Datei zweimal, was bei der Standardeingabe nicht geht; bitte "
        "Sekunden angeben.",
    ),
    Fault.UNREACHABLE: Text(
        Exit.UNREACHABLE,
        "The pool cannot be reached at the moment ({0}); try again later.",
        "Der Datenpool ist gerade nicht erreichbar ({0}); bitte später erneut versuchen.",
    ),
    Fault.ANSWER_GARBLED: Text(
        Exit.UNREACHABLE,
        "What answered at {0} is not the pool: {1}",
        "Was unter {0} antwortet, ist nicht der Datenpool: {1}",
    ),
    Fault.REDIRECTED: Text(
        Exit.UNTRUSTED,
        "The server at {0} points to {1!r}; redirects are not followed. If that is right, change "
        "`server`.",
        "Der Server unter {0} verweist auf {1!r}; Weiterleitungen wird nicht gefolgt. Wenn das "
        "stimmt, bitte `server` ändern.",
    ),
    Fault.REFUSED: Text(
        Exit.REFUSED,
        "The pool refused (status {0}, {1}): {2}",
        "Der Datenpool hat abgelehnt (Status {0}, {1}): {2}",
    ),
    Fault.RECEIPT_INVALID: Text(Exit.INPUT, "{0!r} is no receipt.", "{0!r} ist keine Quittung."),
    Fault.NO_ERASURE: Text(
        Exit.NOTHING,
        "No erasure was asked for; `heatpool consent --withdraw --erase` does.",
        "Keine Löschung angefragt; das tut `heatpool consent --withdraw --erase`.",
    ),
    Fault.NO_MODEL: Text(
        Exit.NOTHING,
        "No model is opened yet; run `heatpool update`.",
        "Es ist noch kein Modell geöffnet; bitte `heatpool update` ausführen.",
    ),
    Fault.MODEL_REJECTED: Text(
        Exit.UNTRUSTED,
        "The model was not accepted ({0}); the present one stays.",
        "Das Modell wurde nicht angenommen ({0}); das bisherige bleibt.",
    ),
}
