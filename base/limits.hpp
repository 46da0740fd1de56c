// Every limit, in one place, with its unit and its reason. An operator may lower or raise those
// that a configuration names; a model never can.
#pragma once

#include <chrono>
#include <cstddef>

namespace interlock::base::limits {

using std::chrono::milliseconds;
using std::chrono::seconds;

// JSON and YAML from outside
inline constexpr std::size_t json_bytes_max = std::size_t{1} << 20; // one request body; 1 MiB
inline constexpr int json_depth_max = 64; // deeper input is an attack on recursion
// A value costs up to 160 bytes of memory and may be written in three bytes of text: a text may
// hold one for this many of the bytes allowed for it (52,428 in 1 MiB), or the second number if
// more.
inline constexpr std::size_t json_bytes_per_value = 20;
inline constexpr std::size_t json_values_min = 2'000;
inline constexpr std::size_t yaml_bytes_max = 64 * 1024; // a runbook or configuration file
inline constexpr int yaml_depth_max = 16;                // contracts nest about six deep

// HTTP
inline constexpr std::size_t http_header_bytes_max = 16 * 1024; // all header fields of a request
inline constexpr std::size_t http_fields_max = 100;             // real clients send about twenty
inline constexpr std::size_t http_body_bytes_max = json_bytes_max;
inline constexpr std::size_t chunk_digits_max = 8;          // leading zeros must end somewhere
inline constexpr std::size_t chunk_name_bytes_max = 256;    // of a trailer field
inline constexpr seconds http_header_deadline{5};           // slow-header clients are dropped
inline constexpr seconds http_body_deadline{15};            // 1 MiB at 70 KB/s
inline constexpr seconds http_idle_deadline{75};            // keep-alive between requests
inline constexpr seconds http_write_deadline{30};           // a client that does not read
inline constexpr std::size_t http_connections_max = 12'000; // open files are finite
inline constexpr std::size_t http_connections_per_address_max = 1'000; // one site cannot fill all
inline constexpr std::size_t http_connections_per_proxy_max = 11'000;  // it stands for everybody
inline constexpr std::size_t http_refusals_max = 128; // told 503 past the caps; then just closed
inline constexpr std::size_t http_bodies_bytes_max = std::size_t{256} << 20; // of all requests
inline constexpr std::size_t http_backlog_bytes_max = std::size_t{8} << 20;  // unread stream bytes
inline constexpr std::size_t http_unread_bytes_max = std::size_t{256} << 20; // of all connections
inline constexpr seconds http_linger_deadline{2}; // reading on, so that a refusal is not lost

// Results a model reads
inline constexpr std::size_t result_text_chars_max = 10'000;             // then [...TRUNCATED]
inline constexpr std::size_t cell_chars_max = 500;                       // head and tail kept
inline constexpr std::size_t result_structured_bytes_max = 32 * 1024;    // some clients show it
inline constexpr std::size_t evidence_bytes_max = std::size_t{16} << 20; // one whole result
inline constexpr std::size_t evidence_store_bytes_max = std::size_t{256} << 20;
inline constexpr std::chrono::hours evidence_lifetime{7 * 24};
inline constexpr std::size_t evidence_page_bytes = 64 * 1024;
inline constexpr std::size_t evidence_kept_max = 20'000; // results; what is older helps nobody
inline constexpr std::size_t tool_rows_max = 200;        // rows a fixed query may return

// The narrow lane to a target
inline constexpr int pool_connections = 4;          // per target
inline constexpr int pool_triage_reserved = 1;      // kept for diagnose when the pool is busy
inline constexpr std::size_t pool_waiters_max = 32; // then target_busy
inline constexpr milliseconds pool_wait_max{3'000}; // a caller waits this long for a connection
inline constexpr milliseconds connect_timeout{5'000};
inline constexpr milliseconds statement_timeout{5'000};
inline constexpr milliseconds lock_timeout{500};
inline constexpr milliseconds idle_in_transaction_timeout{10'000};
inline constexpr milliseconds diagnose_budget{3'000}; // the whole sweep
inline constexpr milliseconds reconnect_backoff_min{250};
inline constexpr milliseconds reconnect_backoff_max{30'000};
inline constexpr std::size_t database_message_chars_max = 500; // of a server's error text
inline constexpr std::size_t reader_cell_bytes_max = std::size_t{1} << 20; // longer cells are cut
inline constexpr std::size_t reader_row_bytes_max = std::size_t{8} << 20;  // libpq holds whole rows
inline constexpr std::size_t reader_discard_bytes_max = std::size_t{1}
                                                        << 20; // then cancel the rest
inline constexpr std::size_t reader_queries_max = 64;          // statements of one read
inline constexpr milliseconds reader_grace{5'000}; // network and queueing on top of time-outs
inline constexpr milliseconds cancel_again{50};    // a stop must reach each statement in flight
inline constexpr milliseconds cancel_probe{1'000}; // is the server there at all
inline constexpr milliseconds cancel_grace{3'000}; // then the connection is given up
inline constexpr std::size_t password_bytes_max = 4 * 1024;
inline constexpr milliseconds tcp_user_timeout{15'000}; // a dead network is noticed
inline constexpr std::size_t target_servers_max = 8; // each takes its share of one connect's time

inline constexpr std::chrono::hours drift_interval{24}; // between two looks at a target's views
inline constexpr seconds drift_retry_min{60};           // after an outage, then doubled
inline constexpr seconds drift_retry_max{3'600};
inline constexpr seconds drift_settle{1};          // before the first: a start has better to do
inline constexpr std::size_t drift_roles_max = 32; // some 30 ms of a target for each
inline constexpr milliseconds drift_statement_timeout{2'000}; // catalog lookups take a few ms

// Log files of a target
inline constexpr std::size_t log_buffer_bytes = std::size_t{1} << 20; // read at once; one a call
inline constexpr std::size_t log_line_bytes_max = 64 * 1024;          // kept of a line
inline constexpr std::size_t log_record_bytes_max = std::size_t{1} << 20; // of a CSV record's lines
inline constexpr std::size_t log_field_bytes_max = 2 * 1024; // kept of a message, statement, ...
inline constexpr std::size_t log_files_max = 10'000;         // entries of a directory looked at
inline constexpr std::size_t log_files_told_max = 20;        // of those, listed in an answer
inline constexpr std::size_t log_probe_bytes = 64 * 1024;    // of one step of a bisection
inline constexpr seconds log_read_max{40};     // then told; 5 GB at 125 MB/s, within a call
inline constexpr seconds log_disorder_max{60}; // backends write a little out of order
inline constexpr std::chrono::hours log_window_max{31 * 24};

// Finding tools
inline constexpr std::size_t tools_found_max = 8; // more is no answer

// Counters of a target, kept to show rates
inline constexpr milliseconds sampler_interval{10'000}; // between two samples of a target
inline constexpr seconds sampler_history{3'600};        // how long a sample is kept
inline constexpr std::size_t sampler_rows_max = 150;    // of one view; 4 MB of numbers an hour
inline constexpr milliseconds sampler_statement_timeout{2'000}; // views of counters take a few ms
inline constexpr milliseconds two_samples_apart{1'000}; // without history; servers count that often

// SQL text before any parser sees it: the lexer is quadratic on nested comments and deep
// expressions overflow the parser's stack.
inline constexpr std::size_t sql_bytes_max = 16 * 1024;
inline constexpr int sql_comment_depth_max = 32;
inline constexpr std::size_t sql_tokens_max = 4'000;
// The lexer rereads a run of operator characters (of comments, too) at every token in it: the sum
// of the squares of the runs' lengths. 8 M are some 10 ms; a banner of 200 asterisks is 40 k.
inline constexpr std::size_t sql_operator_steps_max = 8'000'000;
inline constexpr int sql_tree_depth_max =
    2'000; // of a parse tree in JSON: a chain of 1,000 operators; real ones stay below 200
// Visits to nodes of the tree in all questions that the guard asks about a statement, some 100 ns
// each. What people write takes below 13 for a byte; what takes more is made to stall the guard.
inline constexpr std::size_t sql_guard_steps_max = 250'000;
inline constexpr std::size_t sql_tree_bytes_max = std::size_t{16}
                                                  << 20; // 16 KiB of SQL make about 2 MiB
inline constexpr std::size_t sql_parse_stack_bytes = std::size_t{64} << 20; // the parser recurses
inline constexpr int sql_brackets_max = 256; // open at once; real statements stay below 40
// Constants that callers' SQL may hold; beyond them it makes rows or text out of nothing.
inline constexpr double sql_series_rows_max = 100'000;    // of generate_series, all multiplied
inline constexpr double sql_text_length_max = 10'000;     // of repeat, lpad, rpad, format, char(n)
inline constexpr double sql_collected_rows_max = 10'000;  // of a series, kept by an aggregate
inline constexpr double sql_made_bytes_max = 10'000'000;  // of repeated texts that one keeps
inline constexpr double sql_pattern_repeats_max = 10'000; // nested {n}, multiplied: states compiled
inline constexpr double sql_exponent_max = 1'000;         // numerics grow to 131,072 digits
// Columns of relations that one column of a query is made of, each as often as it is written in it:
// the planner writes sub-selects out, 2 to the power of their depth where each doubles.
inline constexpr double sql_column_weight_max = 10'000;
inline constexpr double sql_plan_rows_max = 1'000'000;    // of the root, as the planner guesses
inline constexpr double sql_plan_cost_max = 250'000;      // some seconds of one process
inline constexpr std::size_t sql_columns_max = 200;       // of a caller's result
inline constexpr std::size_t sql_cell_chars_max = 10'000; // kept of a cell by the target already

// Tool workers and calls
inline constexpr std::size_t tool_workers = 8;                // blocking database calls in flight
inline constexpr std::size_t barred_recorded_per_minute = 60; // calls of who is stopped, of all
inline constexpr std::size_t tool_queue_max = 256;            // then 503 and Retry-After
inline constexpr std::size_t tool_workers_per_subject_max = tool_workers / 2; // others get the rest
inline constexpr std::size_t tool_queue_per_subject_max = tool_queue_max / 2;
inline constexpr std::size_t tool_calls_bytes_max = std::size_t{256}
                                                    << 20; // messages waiting and under way, parsed
inline constexpr seconds tool_call_deadline{60};
inline constexpr seconds busy_retry_after{1};         // what a 503 tells the client to wait
inline constexpr milliseconds drain_max{5'000};       // calls under way at SIGTERM or end of input
inline constexpr std::size_t batch_messages_max = 32; // 2025-03-26 only; more is a flood
inline constexpr seconds list_lifetime{60};           // how long a client may keep tools/list
inline constexpr std::size_t client_name_chars_max = 100;      // what a client calls itself
inline constexpr std::size_t request_id_bytes_max = 16 * 1024; // kept, compared and sent back

// Speaking with MCP clients
inline constexpr std::size_t list_page = 100;      // entries of one page of a list
inline constexpr std::size_t lists_ready_max = 64; // choices of toolsets; more are rendered anew
inline constexpr std::size_t tool_name_chars_max = 64; // what clients and models take (SEP-986)
inline constexpr std::size_t completions_max = 100;    // the protocol's own bound
inline constexpr int progress_per_second = 20;         // more helps nobody
inline constexpr seconds client_answer_deadline{120};  // a person behind the client types
inline constexpr std::size_t questions_max = 1'000;    // under way with legacy clients
inline constexpr std::size_t questions_per_call_max = 16;
inline constexpr seconds request_state_lifetime{600}; // a person behind the client types
inline constexpr std::size_t request_state_bytes_max = 16 * 1024;
inline constexpr std::size_t header_parameters_max = 16; // x-mcp-header of one tool
inline constexpr seconds stream_keep_alive{15};     // proxies drop quiet streams after 30 to 60
inline constexpr seconds stream_judged_every{5};    // how late a changed rule ends a stream
inline constexpr std::size_t listeners_max = 2'000; // open subscriptions/listen
inline constexpr std::size_t listeners_per_subject_max = listeners_max / 10;
inline constexpr std::size_t listen_uris_max = 64; // resources and tasks of one of them
inline constexpr seconds watch_interval{1};        // how late a watched plan's news may be
inline constexpr seconds task_after{5}; // a slow call becomes a task for clients that know tasks
inline constexpr seconds task_lifetime{3'600}; // after its last change
inline constexpr std::size_t tasks_max = 1'000;
inline constexpr std::size_t tasks_per_subject_max = 100;
inline constexpr std::size_t task_results_bytes_max = 4 * evidence_bytes_max; // of all tasks
inline constexpr std::size_t task_workers =
    8; // apart from tool_workers: a task must not starve calls
inline constexpr std::size_t task_workers_per_subject_max = task_workers / 2;
inline constexpr seconds task_deadline{600};

// Legacy MCP sessions
inline constexpr std::size_t sessions_max = 10'000;
inline constexpr std::size_t sessions_per_subject_max = 1'000; // one client cannot push out all
inline constexpr seconds session_idle_max{3'600};
inline constexpr std::size_t session_subscriptions_max = 64;
inline constexpr std::size_t session_streams_max = 32;                       // kept for replay
inline constexpr std::size_t session_event_bytes_max = std::size_t{1} << 20; // kept for replay
inline constexpr std::size_t sessions_event_bytes_max = 64 * session_event_bytes_max; // of all
/// Keep-alive rounds that an event is kept for: about five minutes, in which a client comes back or
/// does not.
inline constexpr unsigned session_event_rounds_max = 20;

// Authorization
inline constexpr std::size_t token_bytes_max = 8 * 1024;    // below the header limit
inline constexpr std::size_t tokens_cached_max = 10'000;    // verified ones, until they expire
inline constexpr std::size_t token_subject_bytes_max = 255; // OpenID's bound; RFC 7519 has none
inline constexpr std::size_t token_audiences_max = 32;
inline constexpr std::size_t claim_chars_max = 200;   // of what the audit keeps
inline constexpr std::size_t claim_elements_max = 32; // of a list that the audit keeps
inline constexpr seconds clock_skew_max{300};         // more would make expiry a suggestion
inline constexpr std::size_t jwks_bytes_max = 256 * 1024;
inline constexpr std::size_t jwks_keys_max = 64;
inline constexpr std::size_t key_id_bytes_max = 256;
inline constexpr seconds jwks_refresh{300};
inline constexpr seconds jwks_retry_min{1};          // then doubled up to jwks_refresh
inline constexpr seconds jwks_unknown_kid_pause{10}; // forged key ids cannot make us fetch
inline constexpr seconds jwks_stale_max{86'400};     // keys that cannot be renewed are given up
inline constexpr milliseconds jwks_deadline{5'000};
inline constexpr std::size_t issuers_max = 16;
inline constexpr std::size_t identity_rules_max = 256;
inline constexpr std::size_t resource_metadata_bytes_max = 16 * 1024;
inline constexpr milliseconds tls_handshake_deadline{5'000};

// Plans and approval
inline constexpr std::size_t plan_bytes_max = 64 * 1024;    // a person must be able to read it
inline constexpr seconds pending_lifetime{30 * 60};         // PENDING, then EXPIRED
inline constexpr seconds approval_lifetime_strong{60 * 60}; // APPROVED by key, then EXPIRED
inline constexpr seconds approval_lifetime_chat{10 * 60};
inline constexpr std::size_t open_plans_per_requester_max = 50; // one agent cannot flood people
inline constexpr seconds lease_lifetime{30};                    // renewed at a third of it
inline constexpr milliseconds store_busy_wait{5'000};           // SQLite's lock
inline constexpr int store_contact_attempts = 5;                // of the executor, before a claim
inline constexpr milliseconds store_contact_retry{250};         // then twice as long, and so on
inline constexpr std::size_t store_rows_max = 200'000;          // of one statement; readers page
inline constexpr std::size_t store_bytes_max = std::size_t{256} << 20; // of one statement's cells
inline constexpr std::size_t decision_bytes_max = 16 * 1024;           // a signed statement
inline constexpr std::size_t signature_bytes_max =
    16 * 1024; // an armored SSH signature (RSA 4096: 2 KiB)
inline constexpr std::size_t decision_reason_chars_max = 2'000;             // a person's words
inline constexpr std::size_t signers_file_bytes_max = std::size_t{1} << 20; // allowed_signers, KRL
inline constexpr seconds signing_deadline{120}; // a person types a passphrase, touches a key
inline constexpr std::size_t outcome_bytes_max = 256 * 1024;    // the executor's report of one plan
inline constexpr std::size_t step_detail_bytes_max = 64 * 1024; // of one step
inline constexpr std::size_t plans_listed_max = 1'000;          // of one list
inline constexpr seconds queue_look_interval{10};               // scrapers come every 15
inline constexpr std::size_t desk_plans_shown_max = 200;        // of one page of the desk
inline constexpr std::size_t desk_requests_waiting_max = 64;    // then 503; people click slowly
inline constexpr std::size_t presentation_bytes_max = 256 * 1024; // \u escapes, six bytes each
inline constexpr std::size_t hypothesis_chars_max = 4'000;    // what a person reads before deciding
inline constexpr std::size_t plan_line_chars_max = 200;       // titles, ids
inline constexpr std::size_t contract_line_chars_max = 1'000; // one sentence or two for people
inline constexpr std::size_t evidence_cited_max = 32;         // evidence ids of one plan
inline constexpr std::size_t blast_radius_sentences_max = 80; // five a step
inline constexpr std::size_t blast_radius_chars_max = 2'000;  // of one sentence
inline constexpr std::size_t plan_steps_max = 16;             // more is not one decision
inline constexpr std::size_t plan_checks_max = 32;            // preconditions, recovery, guardrails
inline constexpr milliseconds step_lock_timeout_max{30'000};  // a waiter stops those behind it
inline constexpr milliseconds step_statement_timeout_max{3'600'000};
inline constexpr milliseconds verification_deadline_max{3'600'000};

// Execution
inline constexpr milliseconds executor_poll_interval{500}; // between two looks at the queue
inline constexpr seconds lease_lifetime_min{2};            // below, a busy disk alone would lose it
inline constexpr seconds lease_lifetime_max{600};          // above, a dead executor blocks a target
inline constexpr milliseconds target_lock_wait{5'000};     // for the advisory lock on a target
inline constexpr milliseconds target_lock_retry{100};
inline constexpr int target_contact_attempts = 5; // to learn what an interrupted step did
inline constexpr milliseconds target_contact_retry{1'000};
inline constexpr milliseconds probe_settle{3'000}; // a signalled backend needs time to end
inline constexpr milliseconds probe_retry{100};
inline constexpr milliseconds verification_interval_min{100}; // closer samples only load the target
inline constexpr std::size_t verification_samples_kept = 200; // in an outcome: first and last half
inline constexpr std::size_t refusals_remembered =
    1'000; // so that each is told once, not each poll

// Telemetry
inline constexpr std::size_t audit_payload_bytes_max = json_bytes_max + 64 * 1024;
inline constexpr std::size_t audit_batch_max = 256;  // tool-call leaves per commit
inline constexpr milliseconds audit_wait_max{5'000}; // then the call fails closed
inline constexpr std::size_t span_file_bytes_max = std::size_t{64} << 20;
inline constexpr int span_files_kept = 4;
inline constexpr std::size_t span_queue_max = 8'192;      // then spans are dropped and counted
inline constexpr std::size_t span_batch_max = 64;         // spans in one line of the span file
inline constexpr std::size_t span_attributes_max = 64;    // then dropped and counted in the span
inline constexpr std::size_t span_text_bytes_max = 1'024; // a name, message or attribute value
// Export of spans to a collector
inline constexpr std::size_t otlp_queue_bytes_max = std::size_t{32} << 20; // besides their number
inline constexpr std::size_t otlp_response_bytes_max = 64 * 1024;          // a verdict, no more
inline constexpr milliseconds otlp_retry_first{1'000};    // doubled each time, with jitter
inline constexpr milliseconds otlp_retry_longest{30'000}; // one pause between two tries
inline constexpr milliseconds otlp_export_max{30'000};    // one batch with its retries
inline constexpr milliseconds otlp_timeout{10'000};       // one try; both as OpenTelemetry has them
inline constexpr milliseconds otlp_schedule_delay{5'000}; // a span waits this long for others
inline constexpr std::size_t otlp_queue_max = 2'048;      // spans; so do these
inline constexpr std::size_t otlp_batch_max = 512;
inline constexpr milliseconds otlp_hold_longest{300'000}; // what a Retry-After can ask for
inline constexpr milliseconds span_flush_max{3'000};      // a stop waits this long for a collector
inline constexpr std::size_t audit_queue_max = 512;       // callers waiting; then refused
inline constexpr std::size_t audit_verify_rows = 32;      // read at once: 32 payloads of 1 MiB
inline constexpr std::size_t audit_problems_max = 1'000;  // told one by one; the rest is counted
inline constexpr std::size_t audit_read_max = 1'000;      // records of one read_audit
inline constexpr std::size_t audit_walk_rows = 1'000;     // leaf hashes read at once, 64 KB of them
inline constexpr std::size_t audit_plans_followed = 100'000; // then each check reads the whole log
inline constexpr std::size_t audit_erase_batch = 10'000; // payloads of one leaf that tells of it
inline constexpr std::size_t audit_export_records_max = 50'000;               // with 5 KB each
inline constexpr std::size_t audit_bundle_bytes_max = std::size_t{256} << 20; // read as a whole
inline constexpr std::size_t audit_bundle_files_max = 250'000;                // five a record
inline constexpr std::size_t audit_report_names_max = 1'000; // people, tools; past it "other"
inline constexpr std::size_t audit_report_largest = 20;      // payloads listed by their size
inline constexpr std::size_t audit_calls_open_max = 100'000; // begins that wait for their end
inline constexpr std::size_t redaction_work_per_byte = 16;   // then the rest of a text is not shown
inline constexpr std::size_t metric_series_max = 1'000; // per family; past it, labels say "other"

// Brakes (kill switches and suspensions) and the supervisor
inline constexpr std::size_t brakes_max = 1'000;           // in force at once; people read the list
inline constexpr std::size_t brake_name_bytes_max = 512;   // a subject with its issuer's prefix
inline constexpr std::size_t brake_reason_chars_max = 500; // one sentence or two
inline constexpr milliseconds brakes_interval{500};        // a kill must hold in under 2 s
inline constexpr int supervised_failing_calls = 3;   // of one kind in a row: more is no new attempt
inline constexpr int supervised_identical_calls = 5; // with nothing new to see
inline constexpr int supervised_loop_calls = 4;      // different ones of a loop that is still seen
inline constexpr long long supervised_recent_max = 250; // past it a limit is as good as none
inline constexpr int supervised_across_incidents = 2;   // times these limits, whatever is named
inline constexpr seconds supervised_pause{60}; // who waits longer between two calls does not loop
inline constexpr seconds supervised_wait{2};   // the same for tools that are asked to wait
inline constexpr seconds supervised_window{3'600};
inline constexpr long long supervised_calls = 2'000; // one every two seconds for the whole window
inline constexpr long long supervised_result_bytes = 64LL << 20; // 16 M tokens or so
inline constexpr seconds supervised_database_time{900};          // a quarter of one backend
inline constexpr std::size_t supervised_identities_max = 4'096; // some 70 MB with their transcripts
inline constexpr std::size_t supervised_incidents_max = 8;      // watched apart, of one identity
inline constexpr std::size_t incident_chars_max = 100; // a name people type, not a description
inline constexpr std::size_t transcript_calls = 20;    // what a person reads of a breach
inline constexpr std::size_t transcript_arguments_chars = 500;
inline constexpr int turned_away_lines = 60; // a minute, of callers without proof; then counted

// Child processes (ssh-keygen and the like)
inline constexpr seconds child_deadline{10};
inline constexpr std::size_t child_output_bytes_max = std::size_t{1} << 20;

} // namespace interlock::base::limits
