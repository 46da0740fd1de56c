// Secrets and personal data in text that others wrote, replaced by a label such as [redacted:jwt]
// before a model, a log, a span or a page sees it. The rules are one table (redaction_rules.cpp).
// What holds for any input: one pass of bounded work, valid UTF-8 stays valid, redacting twice
// changes nothing more, the result has at most 8 bytes for each byte and 64 more, nothing throws.
// Rules find what has a shape or stands beside a telling word; a secret that is a plain word among
// others is found by nobody. SQL has a better way, the lexer: use safe_sql for it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace interlock::telemetry {

struct RedactionOptions {
    bool ipv4 = false; // an address says where to look; operators who must not keep any set this
};

/// Of text that base::sanitize has made harmless; invisible characters would split a secret.
std::string redact(std::string_view text, RedactionOptions options = {});

/// What may be shown of foreign text: sanitised, then redacted. Cut afterwards, never before: half
/// a secret is not recognised.
std::string safe_text(std::string_view hostile);
/// What may be shown of SQL: literals become $n by the lexer and comments go, then the rules look
/// at what is left (names, quoted identifiers). SQL that cannot be lexed shows nothing of itself.
std::string safe_sql(std::string_view sql);

/// In place; costs nothing more than the look when nothing is found. The second is the second half
/// of safe_sql, for text whose literals the lexer has masked.
void redact_in(std::string& text);
void redact_masked_sql_in(std::string& masked);

/// base::log_setup's redactor. Fields that say who somebody is (subject, actor, ...) stay: an
/// operator must be able to tell people apart, and their names are often mail addresses.
std::string redact_log_field(std::string_view key, std::string_view value);

/// Name of every rule, in the order in which they are tried; the label is [redacted:NAME].
std::vector<std::string_view> redaction_rule_names();

} // namespace interlock::telemetry
