//! What every store must do, run against each kind of store that there is.
//!
//! The contract is written once: a new store brings a [`story::Place`] and passes it to `contract!`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is test code, also what stands outside of the test functions"
)]

mod audit;
mod contract;
mod embedded;
mod history;
mod letters;
mod model;
#[cfg(feature = "server-tests")]
mod mongo;
mod prune;
#[cfg(feature = "server-tests")]
#[path = "../servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "not every target needs every server")]
mod servers;
mod story;
mod transfer;
mod trouble;
mod users;

/// One test for each clause of the contract.
macro_rules! contract {
    ($store:ident, $place:expr; $($part:ident: $($clause:ident)*;)*) => {
        mod $store {
            $($(
                #[tokio::test]
                async fn $clause() {
                    crate::$part::$clause(&$place).await;
                }
            )*)*

            #[test]
            fn any_sequence_of_writes_gives_what_the_model_says() {
                crate::model::any_sequence_of_writes_gives_what_the_model_says(|| $place);
            }
        }
    };
}

/// The clauses, once for all stores.
macro_rules! every_clause {
    ($store:ident, $place:expr) => {
        contract! {
            $store, $place;
            contract:
                entries_of_a_commit_are_dense_and_in_the_order_of_its_writes
                a_new_log_is_empty_and_has_its_epoch
                a_post_with_a_known_delivery_key_is_a_duplicate
                a_post_with_a_known_fact_key_is_a_duplicate
                a_duplicate_within_one_commit_is_found
                posts_without_keys_are_never_duplicates
                a_waiting_notification_is_in_the_log_only_when_settled
                an_overdue_screening_is_released_as_pending_and_updated_later
                the_oldest_overdue_are_released_first_and_at_most_the_limit
                a_screening_is_settled_once
                a_duplicate_that_asks_for_screening_opens_it_once
                a_duplicate_of_an_answered_or_waiting_notification_opens_nothing
                screenings_are_taken_in_the_order_of_arrival_and_once_by_each_claimant
                the_backlog_holds_what_is_not_settled_taken_or_released_or_neither
                a_probe_changes_nothing
                dead_letters_are_listed_newest_first
                everything_is_there_after_a_restart
                a_dropped_future_does_not_stop_its_commit
                calls_behind_close_fail;
            history:
                pages_from_the_newest_meet_every_notification_once
                pages_behind_a_place_are_oldest_first_and_say_the_newest
                an_owner_sees_only_their_own
                updates_are_no_rows_of_history_but_their_results_are_shown
                a_notification_is_found_when_released_and_not_before;
            letters:
                a_dead_letter_is_shown_with_the_exact_body_that_it_came_in
                a_letter_that_is_taken_in_again_goes_in_the_same_commit_and_once
                a_letter_stays_where_taking_it_in_again_is_refused
                letters_are_discarded_by_their_numbers_the_oldest_first
                the_oldest_letters_beyond_the_bounds_go;
            prune:
                the_oldest_go_first_and_the_rest_stays_dense
                the_newest_entry_always_stays
                nothing_from_an_open_screening_on_is_removed
                what_was_pruned_may_come_again
                dead_letters_age_too;
            trouble:
                a_write_that_is_refused_leaves_nothing_and_costs_no_other
                a_payload_that_cannot_be_read_goes_out_as_it_is_and_its_result_follows
                pages_and_releases_end_at_their_bytes_and_take_one_entry_of_any_size;
            audit:
                readers_in_step_are_written_once_and_then_by_the_laps_of_their_relay
                a_lap_that_is_kept_again_is_there_once
                candidates_are_those_who_see_the_entry_page_by_page
                entries_are_found_by_their_notification_and_from_the_newest
                what_was_sent_is_found_by_notification_by_user_and_by_both
                what_is_older_than_retention_is_forgotten_and_who_is_connected_is_not
                a_relay_that_says_it_lives_keeps_its_connections_while_nothing_is_sent
                what_is_about_an_entry_stays_as_long_as_the_entry
                no_more_rows_are_forgotten_at_once_than_asked_for;
            users:
                users_are_known_once_until_they_are_removed
                the_version_of_users_is_another_one_after_each_change;
        }
    };
}

every_clause!(in_a_file, crate::embedded::TempFile::new());
#[cfg(feature = "server-tests")]
every_clause!(in_mongodb, crate::mongo::Database::new());
