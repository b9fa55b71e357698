"""The attack table: what is tried, what is expected, and the tests that try it.

Numbers are those of the research notes (modelhub, section 5); from 53 on they are our own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

C, M, H = "tests/contract/test_", "tests/client/test_", "tests/modelhub/test_"
E, T = "tests/ingest/test_", "tests/trainer/test_"


class Row(NamedTuple):
    """One attack."""

    number: int
    where: str
    attack: str
    expected: str
    tests: tuple[str, ...]
    """`file::function`; empty: not tested, and `expected` says why."""


ROWS: Final = (
    Row(1, "client", "bit flip anywhere", "refused, model stays", (f"{C}sealed.py::test_every_single_bit_counts", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[hash-bit-flip]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[ciphertext-bit-flip]")),
    Row(2, "client", "truncation, trailing bytes", "length", (f"{C}sealed.py::test_every_cut_is_noticed", f"{C}sealed.py::test_anything_appended_is_noticed", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[length-cut-at-box]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[length-trailing-byte]")),
    Row(3, "client", "pickle as payload or file", "payload; never deserialised", (f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[payload-pickle]", "tests/architecture/test_house.py::test_nothing_that_runs_code_on_load_is_imported")),
    Row(4, "client", "forged with every key of the client", "threshold", (f"{M}attacks.py::test_attack_04_forged_with_every_key_of_the_client",)),
    Row(5, "client", "sealed but unsigned", "threshold", (f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[threshold-zero]",)),
    Row(6, "client", "rollback to an older release", "rollback", (f"{M}attacks.py::test_attack_06_rollback",)),
    Row(7, "client", "fast-forward with a stolen key", "recovery by new trust file and epoch", (f"{M}attacks.py::test_attack_07_fast_forward_and_recovery", f"{H}drill.py::test_stolen_release_key_is_revoked_and_the_pool_comes_back")),
    Row(8, "client", "freeze: old statement replayed", "fresh_expired, model works on", (f"{M}attacks.py::test_attack_08_freeze",)),
    Row(9, "client", "expiry boundary", "now == expires is refused", (f"{C}sealed.py::test_expiry_is_the_first_second_that_is_too_late", f"{M}attacks.py::test_attack_09_expiry_boundary")),
    Row(11, "client", "mix and match of two releases", "ciphertext, hash, aead", (f"{M}attacks.py::test_attack_11_mix_and_match", f"{C}sealed.py::test_parts_of_two_releases_do_not_mix")),
    Row(12, "client", "other heat pump, other engine", "wrong_model, engine", (f"{M}attacks.py::test_attack_12_other_heat_pump", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[engine-forged]")),
    Row(13, "client", "endless data", "stops at the cap", (f"{M}attacks.py::test_attack_13_endless_data",)),
    Row(14, "client", "slow retrieval", "given up", (f"{M}attacks.py::test_attack_14_slow_retrieval",)),
    Row(16, "client", "hostile arrays", "payload", (f"{M}attacks.py::test_attack_16_and_24_hostile_payload", f"{C}detector.py::test_one_flaw_is_refused_with_its_code")),
    Row(17, "client", "signature of another type", "threshold", (f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[threshold-typed-request]", f"{C}fresh.py::test_signature_of_another_type_is_none", f"{C}requests.py::test_signature_of_another_payload_type_is_none")),
    Row(19, "client", "trust N+2, or signed by new keys alone", "trust_*", (f"{M}attacks.py::test_attack_19_forged_trust_from_the_hub", f"{C}trust.py::test_three_rotations_in_a_row")),
    Row(20, "client", "downgrade of cipher or format", "cipher, format, magic", (f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[cipher-forged]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[magic-hpm0]")),
    Row(21, "client", "grant of another home, release, length, time", "grant_*, aead", (f"{C}grants.py::test_grant_names_one_home", f"{C}grants.py::test_grants_and_releases_do_not_mix", f"{C}grants.py::test_forged_grant_yields_no_model", f"{C}grants.py::test_grant_ends", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-length-139]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-length-141]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-expired-now]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-other-installation-id]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-other-release-seq-8]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[grant-sealed-other-key]", f"{M}models_vectors.py::test_vector_is_answered_and_leaves_the_store_alone[aead-forged-grant]")),
    Row(22, "client", "power loss at any write", "old or new, whole", (f"{M}models_power.py::test_power_cut_at_every_change_leaves_the_old_model_or_the_new", f"{M}models_power.py::test_killed_process_leaves_a_whole_model")),
    Row(24, "client", "model scores differently here", "self_test", (f"{M}attacks.py::test_attack_16_and_24_hostile_payload", f"{M}models.py::test_payload_must_score_as_at_the_trainer")),
    Row(25, "hub", "shared token, foreign id", "no grant, 403", (f"{H}attacks.py::test_attack_25_shared_token_and_foreign_id",)),
    Row(26, "hub", "enumeration of ids", "one answer; 429", (f"{H}attacks.py::test_attack_26_enumeration", f"{H}limits.py::test_hub_answers_429_with_the_time_to_wait")),
    Row(27, "hub", "replay of a signed request", "401", (f"{H}attacks.py::test_attack_27_replay", f"{H}signatures.py::test_memory_for_nonces_is_bounded_and_fails_closed")),
    Row(29, "hub", "squatting on a known id", "409, one wins", (f"{H}keys.py::test_of_fifty_first_registrations_exactly_one_wins", f"{H}keys.py::test_bound_key_is_never_overwritten")),
    Row(30, "hub", "keys of small order", "422, no 500", (f"{H}keys.py::test_low_order_box_key_is_refused", f"{H}keys.py::test_small_order_signing_key_is_refused")),
    Row(31, "hub", "other spellings of an id", "422", (f"{H}hostile_input.py::test_other_spellings_of_an_id_are_refused",)),
    Row(32, "hub", "path traversal, injection", "4xx, no query", (f"{H}hostile_input.py::test_nasty_parameters", f"{H}hostile_input.py::test_paths_and_methods_that_are_not_there")),
    Row(33, "hub", "free rider, erased, boundary of 30 days", "not eligible, 403", (f"{H}check.py::test_eligibility_ends_after_thirty_days", f"{H}download.py::test_only_contributors_download")),
    Row(34, "hub", "lies of ETag, Range, 304", "always the hash", (f"{H}download.py::test_ranges_put_together_have_the_hash", f"{H}download.py::test_publish_between_check_and_download")),
    Row(36, "hub", "backend down", "503 with Retry-After, or from memory", (f"{H}outage.py::test_hub_answers_from_memory_while_nats_is_away", f"{H}outage.py::test_nobody_is_called_unknown_before_the_registry_was_read")),
    Row(37, "hub", "default or empty token", "no start", (f"{H}settings.py::test_bad_environment_is_refused_by_name",)),
    Row(38, "hub", "theft of the hub's keys", "no model", (f"{H}attacks.py::test_attack_38_hub_secrets_open_and_forge_no_model", f"{M}attacks.py::test_attack_38_thief_of_the_hub_makes_no_model")),
    Row(39, "edge", "line injection through names", "refused or counted", (f"{E}preparation.py::test_what_is_refused_as_a_whole",)),
    Row(40, "edge", "NaN, deep JSON, bombs", "400/413", (f"{E}inflate.py::test_a_bomb_is_refused_by_its_ratio", f"{E}preparation.py::test_no_bytes_raise_anything_but_a_refusal")),
    Row(41, "edge", "times ahead, old, replayed batch", "rejected, stored once", (f"{E}admission.py::test_timestamp", f"{E}app.py::test_a_request_of_many_messages_is_stored_whole_and_once")),
    Row(43, "edge", "addresses in logs", "none", ("tests/pipeline/test_edge_privacy.py::test_no_uuid_token_or_address_is_in_logs_metrics_or_on_the_bus",)),
    Row(44, "trainer", "one record of 1e9 or infinity; one home fifty times", "AUC moves by less than 0.005", (f"{T}poisoning.py::test_attack_44_one_absurd_record_changes_nothing_material", f"{T}poisoning.py::test_fifty_times_the_share_of_one_home_changes_nothing_material", f"{T}poisoning.py::test_a_home_that_the_others_reject_is_as_if_it_had_never_been")),
    Row(47, "trainer", "poisoned candidate", "refused and kept; no signature, pointer as before", (f"{T}service.py::test_attack_47_a_poisoned_candidate_is_kept_and_never_signed", f"{T}poisoning.py::test_many_rejected_homes_are_for_somebody_to_look_at")),
    Row(48, "privacy", "14 homes, 16 % home, join and leave", "suppressed", (f"{H}statistics.py::test_nothing_is_shown_below_fifteen_homes", f"{H}statistics.py::test_home_that_dominates_is_in_no_average", f"{H}statistics.py::test_difference_of_two_snapshots_shows_no_home", f"{H}statistics.py::test_a_day_below_k_does_not_open_the_way_to_a_difference")),
    Row(49, "privacy", "late message and replay after erasure", "nothing comes back, 410", ("tests/pipeline/test_erasure_by_its_owner.py::test_home_that_asks_the_hub_is_forgotten_by_the_whole_pool", "tests/writer/test_erasure.py::test_nothing_is_left_also_when_killed_after_any_step", "tests/writer/test_erasure.py::test_what_comes_after_the_tombstone_is_not_stored")),
    Row(50, "privacy", "erasure or export of another home", "401/403/405", (f"{H}community.py::test_erasure_is_begun_by_its_owner_alone", f"{H}community.py::test_home_gets_its_own_data_and_nobody_elses")),
    Row(51, "privacy", "withdrawal offline", "queued, signed, retried; new id after it", (f"{M}withdrawal.py::test_attack_51_withdrawal_offline", f"{M}erasure.py::test_it_waits_until_the_pool_has_confirmed")),
    Row(52, "privacy", "no consent recorded", "the client sends nothing", (f"{M}consent.py::test_no_method_of_the_pool_sends_without_a_permit",)),
    Row(53, "client", "long trust chain", "walked once, stored", (f"{M}attacks.py::test_attack_53_endless_trust_chain", f"{C}trust.py::test_endless_chain_ends")),
    Row(54, "client", "withdrawn trial offered again", "fresh_rollback", (f"{M}attacks.py::test_attack_54_withdrawn_trial_offered_again",)),
    Row(55, "hub", "signature of another route", "401", (f"{H}attacks.py::test_attack_55_signature_for_another_route",)),
    Row(56, "hub", "grant to a rotated key", "new key alone opens", (f"{H}attacks.py::test_attack_56_grant_of_a_rotated_key",)),
    Row(57, "hub", "flood of keys and registrations", "429, no entries", (f"{H}attacks.py::test_attack_57_requests_of_fifty_signers", f"{H}limits.py::test_flood_of_registrations_is_bounded_for_all_together")),
    Row(58, "hub", "stranger uses up a home's share", "his own bucket", (f"{H}limits.py::test_stranger_cannot_use_up_the_share_of_a_home",)),
    Row(59, "hub", "rotation by a thief, rotation replayed", "409", (f"{H}signatures.py::test_rotation_by_a_thief_is_a_conflict", f"{H}signatures.py::test_key_signs_its_successor")),
    Row(60, "operator", "tampered store makes a withdrawal sign it", "threshold, no signature", ("tests/deploy/test_model_admin.py::test_withdrawal_signs_only_what_was_signed",)),
    Row(61, "operator", "half-signed trust file published", "not published", ("tests/deploy/test_ceremony.py::test_root_keys_that_lie_apart_sign_one_after_the_other",)),
    Row(62, "hub", "flood of erasures of homes that never were", "429, few tombstones", (f"{H}attacks.py::test_attack_62_flood_of_erasures",)),
    Row(63, "privacy", "erasure repeated by another", "403; the owner gets his receipt again", (f"{H}attacks.py::test_attack_63_receipt_of_another_home",)),
    Row(64, "client", "wrong beginning of a file, cut off", "hash, not kept", (f"{M}attacks.py::test_attack_64_poisoned_part",)),
    Row(65, "privacy", "sum of a rare model watched by the minute", "two digits", (f"{H}check.py::test_sum_of_a_model_is_shown_in_two_digits",)),
    Row(66, "hub", "flood of consent records", "429", (f"{H}attacks.py::test_attack_66_flood_of_consents",)),
    Row(67, "privacy", "homes of a rare model watched by a stranger", "steps of five", (f"{H}check.py::test_strangers_do_not_see_one_home_of_a_model_come_or_go",)),
    Row(68, "hub", "second header, other spelling past the checks", "same answer on both ways", (f"{H}download.py::test_first_of_two_headers_counts", f"{H}download.py::test_other_spellings_and_methods_are_answered_as_ever", f"{H}attacks.py::test_attack_68_download_signed_for_another_query")),
    Row(69, "hub", "many readers that do not read", "one file in memory", (f"{H}process.py::test_attack_69_readers_that_do_not_read",)),
)  # fmt: skip
