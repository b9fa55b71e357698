"""Every refusal of the pool: one stable code with its HTTP status and its text in two languages.

The code is the HTTP body's `code`, the metric's label, the dead letter's header and the name of
the test. The German text is what an owner reads; the English one what a developer reads.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Refusal(StrEnum):
    """Why a request, a record or a value was not taken."""

    # the request as a whole
    TOKEN_MISSING = "token_missing"  # noqa: S105 - a code, not a password
    TOKEN_WRONG = "token_wrong"  # noqa: S105 - a code, not a password
    TOKEN_ATTEMPTS_TOO_MANY = "token_attempts_too_many"  # noqa: S105 - a code, not a password
    ENCODING_UNSUPPORTED = "encoding_unsupported"
    BODY_CORRUPT = "body_corrupt"
    BODY_TOO_LARGE = "body_too_large"
    BODY_RATIO_TOO_HIGH = "body_ratio_too_high"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_UNREADABLE = "body_unreadable"
    BODY_MISSHAPEN = "body_misshapen"
    INSTALLATION_ID_INVALID = "installation_id_invalid"
    MODEL_INVALID = "model_invalid"
    VERSION_INVALID = "version_invalid"
    DATA_EMPTY = "data_empty"
    RECORDS_TOO_MANY = "records_too_many"
    FIELDS_TOO_MANY = "fields_too_many"
    INSTALLATION_GONE = "installation_gone"
    QUOTA_EXCEEDED = "quota_exceeded"
    OVERLOADED = "overloaded"
    RECEIPT_INVALID = "receipt_invalid"
    BUS_UNAVAILABLE = "bus_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    STOPPING = "stopping"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    # a record
    TIMESTAMP_MISSING = "timestamp_missing"
    TIMESTAMP_INVALID = "timestamp_invalid"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    RECORD_TOO_LARGE = "record_too_large"
    RECORD_FIELDS_TOO_MANY = "record_fields_too_many"
    RECORD_WITHOUT_VALUES = "record_without_values"
    # a value
    FIELD_NAME_INVALID = "field_name_invalid"
    VALUE_NOT_NUMERIC = "value_not_numeric"
    VALUE_OUT_OF_RANGE = "value_out_of_range"
    # on the bus
    CHUNK_MALFORMED = "chunk_malformed"
    CHUNK_FOREIGN = "chunk_foreign"
    STORE_REJECTED = "store_rejected"
    # the modelhub
    NO_RECENT_CONTRIBUTION = "no_recent_contribution"
    NO_MODEL_FOR_TYPE = "no_model_for_type"
    POOL_TOO_SMALL = "pool_too_small"
    QUARANTINED = "quarantined"
    BAD_REQUEST = "bad_request"
    HASH_NOT_SERVED = "hash_not_served"
    RANGE_NOT_SATISFIABLE = "range_not_satisfiable"
    KEY_INVALID = "key_invalid"
    KEY_PROOF_INVALID = "key_proof_invalid"
    KEY_CONFLICT = "key_conflict"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_INVALID = "signature_invalid"
    SIGNATURE_TIME = "signature_time"
    SIGNATURE_REPLAYED = "signature_replayed"
    SIGNATURE_FOREIGN = "signature_foreign"
    RATE_EXCEEDED = "rate_exceeded"
    METRIC_UNKNOWN = "metric_unknown"
    WINDOW_UNKNOWN = "window_unknown"
    STATISTICS_SUPPRESSED = "statistics_suppressed"
    CONSENT_INVALID = "consent_invalid"


class Text(NamedTuple):
    """What is said with a code."""

    status: int
    """HTTP status; 200 where the code only stands in a list of rejections."""
    en: str
    de: str


TEXTS: Final[dict[Refusal, Text]] = {
    Refusal.TOKEN_MISSING: Text(
        401,
        "The request has no bearer token.",
        "Der Anfrage fehlt das Zugangstoken (Bearer).",
    ),
    Refusal.TOKEN_WRONG: Text(
        403, "The bearer token is not valid.", "Das Zugangstoken ist nicht gültig."
    ),
    Refusal.TOKEN_ATTEMPTS_TOO_MANY: Text(
        429,
        "Too many requests with a wrong token from this network.",
        "Zu viele Anfragen mit falschem Zugangstoken aus diesem Netz.",
    ),
    Refusal.ENCODING_UNSUPPORTED: Text(
        415,
        "Content-Encoding must be gzip, deflate, zstd or identity.",
        "Content-Encoding muss gzip, deflate, zstd oder identity sein.",
    ),
    Refusal.BODY_CORRUPT: Text(
        400,
        "The body does not decompress.",
        "Der Inhalt der Anfrage lässt sich nicht entpacken.",
    ),
    Refusal.BODY_TOO_LARGE: Text(
        413,
        "The body is larger than 16 MiB after decompression; send smaller batches.",
        "Der Inhalt ist entpackt größer als 16 MiB; bitte kleinere Pakete senden.",
    ),
    Refusal.BODY_RATIO_TOO_HIGH: Text(
        413,
        "The body unfolds to more than 500 times its size; no recording does.",
        "Der Inhalt entpackt sich auf mehr als das 500-fache; das tut keine Aufzeichnung.",
    ),
    Refusal.BODY_TOO_SLOW: Text(
        408,
        "The body did not arrive in time; send smaller batches.",
        "Der Inhalt kam nicht rechtzeitig an; bitte kleinere Pakete senden.",
    ),
    Refusal.BODY_UNREADABLE: Text(
        400, "The body is not valid JSON.", "Der Inhalt ist kein gültiges JSON."
    ),
    Refusal.BODY_MISSHAPEN: Text(
        422,
        "The body is JSON but no submission.",
        "Der Inhalt ist JSON, aber keine gültige Übermittlung.",
    ),
    Refusal.INSTALLATION_ID_INVALID: Text(
        422,
        "installation_id must be a lower-case UUID of version 4 or 8 with 36 characters.",
        "installation_id muss eine kleingeschriebene UUID der Version 4 oder 8 mit 36 Zeichen "
        "sein.",
    ),
    Refusal.MODEL_INVALID: Text(
        422,
        "heatpump_model must have 1 to 64 letters, digits, blanks or _ - . ( ) and name a model.",
        "heatpump_model muss aus 1 bis 64 Buchstaben, Ziffern, Leerzeichen oder _ - . ( ) "
        "bestehen.",
    ),
    Refusal.VERSION_INVALID: Text(
        422,
        "version must have 1 to 32 letters, digits or . _ + -",
        "version muss aus 1 bis 32 Buchstaben, Ziffern oder . _ + - bestehen.",
    ),
    Refusal.DATA_EMPTY: Text(
        422, "data holds no record.", "Die Übermittlung enthält keinen Datensatz."
    ),
    Refusal.RECORDS_TOO_MANY: Text(
        413,
        "At most 20,000 records a request; send smaller batches.",
        "Höchstens 20.000 Datensätze je Anfrage; bitte kleinere Pakete senden.",
    ),
    Refusal.FIELDS_TOO_MANY: Text(
        422,
        "At most 512 different fields a request.",
        "Höchstens 512 verschiedene Felder je Anfrage.",
    ),
    Refusal.INSTALLATION_GONE: Text(
        410,
        "This installation was erased; nothing is stored for it.",
        "Diese Installation wurde gelöscht; für sie wird nichts gespeichert.",
    ),
    Refusal.QUOTA_EXCEEDED: Text(
        429,
        "This installation sends more than its share; the records are welcome later.",
        "Diese Installation sendet mehr als ihren Anteil; die Daten bitte später erneut senden.",
    ),
    Refusal.OVERLOADED: Text(
        503,
        "The pool has more to store than it can at the moment; try again later.",
        "Der Datenpool ist gerade ausgelastet; bitte später erneut senden.",
    ),
    Refusal.RECEIPT_INVALID: Text(
        404, "This is no receipt of this pool.", "Das ist keine Quittung dieses Datenpools."
    ),
    Refusal.BUS_UNAVAILABLE: Text(
        503,
        "The pool cannot store data at the moment; try again later.",
        "Der Datenpool kann gerade nichts speichern; bitte später erneut senden.",
    ),
    Refusal.STORE_UNAVAILABLE: Text(
        503,
        "The pool's statistics are not available at the moment; try again later.",
        "Die Auswertungen des Datenpools sind gerade nicht verfügbar; bitte später erneut.",
    ),
    Refusal.STOPPING: Text(
        503,
        "The service is restarting; try again in a moment.",
        "Der Dienst wird gerade neu gestartet; bitte gleich erneut versuchen.",
    ),
    Refusal.NOT_FOUND: Text(404, "There is nothing here.", "Hier gibt es nichts."),
    Refusal.METHOD_NOT_ALLOWED: Text(
        405, "This method is not allowed here.", "Diese Methode ist hier nicht erlaubt."
    ),
    Refusal.TIMESTAMP_MISSING: Text(
        200, "The record has no timestamp.", "Dem Datensatz fehlt der Zeitstempel."
    ),
    Refusal.TIMESTAMP_INVALID: Text(
        200,
        "The timestamp is not a number of seconds since 1970.",
        "Der Zeitstempel ist keine Zahl von Sekunden seit 1970.",
    ),
    Refusal.TIMESTAMP_IN_FUTURE: Text(
        200,
        "The timestamp is more than 5 minutes ahead: check the logger's clock.",
        "Der Zeitstempel liegt mehr als 5 Minuten in der Zukunft: bitte die Uhr des Loggers "
        "prüfen.",
    ),
    Refusal.TIMESTAMP_TOO_OLD: Text(
        200,
        "The record is older than the pool keeps data (334 days).",
        "Der Datensatz ist älter als die Aufbewahrung des Datenpools (334 Tage).",
    ),
    Refusal.RECORD_TOO_LARGE: Text(
        200, "The record has more than 64 KiB.", "Der Datensatz hat mehr als 64 KiB."
    ),
    Refusal.RECORD_FIELDS_TOO_MANY: Text(
        200, "The record has more than 128 fields.", "Der Datensatz hat mehr als 128 Felder."
    ),
    Refusal.RECORD_WITHOUT_VALUES: Text(
        200, "The record has no usable value.", "Der Datensatz enthält keinen brauchbaren Wert."
    ),
    Refusal.FIELD_NAME_INVALID: Text(
        200,
        "A field's name must be a letter or _ and up to 63 more letters, digits or _.",
        "Ein Feldname muss mit einem Buchstaben oder _ beginnen und darf höchstens 64 "
        "Buchstaben, Ziffern oder _ haben.",
    ),
    Refusal.VALUE_NOT_NUMERIC: Text(
        200,
        "Texts, null and nested values are not stored.",
        "Texte, leere und verschachtelte Werte werden nicht gespeichert.",
    ),
    Refusal.VALUE_OUT_OF_RANGE: Text(
        200, "The number is larger than 1e300.", "Die Zahl ist größer als 1e300."
    ),
    Refusal.CHUNK_MALFORMED: Text(
        422, "The message is no chunk of a known schema.", "Die Nachricht ist nicht lesbar."
    ),
    Refusal.CHUNK_FOREIGN: Text(
        422,
        "The message's subject and its content name different homes or models.",
        "Betreff und Inhalt der Nachricht passen nicht zusammen.",
    ),
    Refusal.STORE_REJECTED: Text(
        422, "The store refused the message as a whole.", "Der Speicher hat die Daten abgelehnt."
    ),
    Refusal.NO_RECENT_CONTRIBUTION: Text(
        403,
        "This installation has not contributed enough data in the last 30 days.",
        "Diese Installation hat in den letzten 30 Tagen nicht genug Daten beigetragen.",
    ),
    Refusal.NO_MODEL_FOR_TYPE: Text(
        404,
        "There is no detector for this heat-pump model yet.",
        "Für dieses Wärmepumpenmodell gibt es noch kein Modell.",
    ),
    Refusal.POOL_TOO_SMALL: Text(
        404,
        "The pool is still collecting data for this heat-pump model.",
        "Der Datenpool sammelt für dieses Wärmepumpenmodell noch Daten.",
    ),
    Refusal.QUARANTINED: Text(
        403,
        "The data of this installation are under review.",
        "Die Daten dieser Installation werden gerade geprüft.",
    ),
    Refusal.BAD_REQUEST: Text(
        400, "The request is not understood.", "Die Anfrage ist nicht verständlich."
    ),
    Refusal.HASH_NOT_SERVED: Text(
        409,
        "This release is no longer served; check for the current one.",
        "Diese Modellversion wird nicht mehr ausgeliefert; bitte neu abfragen.",
    ),
    Refusal.RANGE_NOT_SATISFIABLE: Text(
        416,
        "The requested range is outside of the file.",
        "Der angeforderte Bereich liegt außerhalb der Datei.",
    ),
    Refusal.KEY_INVALID: Text(
        422, "The public key is not usable.", "Der öffentliche Schlüssel ist nicht brauchbar."
    ),
    Refusal.KEY_PROOF_INVALID: Text(
        403,
        "The proof that you hold the private key does not verify.",
        "Der Nachweis über den privaten Schlüssel ist ungültig.",
    ),
    Refusal.KEY_CONFLICT: Text(
        409,
        "Another key is already registered for this installation.",
        "Für diese Installation ist bereits ein anderer Schlüssel registriert.",
    ),
    Refusal.SIGNATURE_MISSING: Text(
        401,
        "This request must be signed with the installation's key.",
        "Diese Anfrage muss mit dem Schlüssel der Installation signiert sein.",
    ),
    Refusal.SIGNATURE_INVALID: Text(
        401,
        "The signature of the request does not verify.",
        "Die Signatur der Anfrage ist ungültig.",
    ),
    Refusal.SIGNATURE_TIME: Text(
        401,
        "The request was signed more than 300 s ago or ahead: check the logger's clock.",
        "Die Anfrage wurde vor mehr als 300 s oder in der Zukunft signiert: bitte die Uhr des "
        "Loggers prüfen.",
    ),
    Refusal.SIGNATURE_REPLAYED: Text(
        401,
        "This very request was made before.",
        "Genau diese Anfrage wurde schon einmal gestellt.",
    ),
    Refusal.SIGNATURE_FOREIGN: Text(
        403,
        "The key that signed this request is not that of the installation.",
        "Der Schlüssel dieser Anfrage gehört nicht zu dieser Installation.",
    ),
    Refusal.RATE_EXCEEDED: Text(
        429,
        "Too many requests; try again later.",
        "Zu viele Anfragen; bitte später erneut versuchen.",
    ),
    Refusal.METRIC_UNKNOWN: Text(
        422, "There are no statistics of this metric.", "Zu dieser Größe gibt es keine Statistik."
    ),
    Refusal.WINDOW_UNKNOWN: Text(
        422, "window must be 1d, 7d or 30d.", "window muss 1d, 7d oder 30d sein."
    ),
    Refusal.STATISTICS_SUPPRESSED: Text(
        404,
        "There are too few homes for statistics that show none of them.",
        "Es gibt noch zu wenige Anlagen für Statistiken, die keine einzelne zeigen.",
    ),
    Refusal.CONSENT_INVALID: Text(
        422, "The consent record is not complete.", "Der Einwilligungsnachweis ist unvollständig."
    ),
}
