// What a diagnostic tool returns. Evidence separates what was seen (rows, findings) from what was
// not looked at (not_examined) and what was left out for space (cut); an empty list never means
// "healthy" by accident. tools/render.hpp turns it into what the protocol carries.
#pragma once

#include "base/clock.hpp"
#include "base/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

enum class Severity { critical, warning, notice };
const char* name(Severity severity);

/// One judgement: a value held against a threshold.
struct Finding {
    Severity severity = Severity::notice;
    std::string object;    // "backend 4242", "relation app.orders"
    std::string value;     // with its unit: "182 s"
    std::string threshold; // "120 s"
    std::string meaning;   // one sentence
};

/// A check that could not run, why, and what it would have told.
struct NotExamined {
    std::string what;
    std::string why;
    std::string would_tell;
};

/// What was left out of the text, and where the whole is.
struct Cut {
    std::size_t rows = 0;
    std::size_t characters = 0;
    std::string whole; // evidence://<id>
};

/// Of a pooler that has shown itself by nothing but its process ids.
inline constexpr std::string_view pooler_mode_unknown = "a mode not yet known";

/// Where and how fresh.
struct Source {
    std::string target;
    std::string database_role;
    std::string server_version;
    bool in_recovery = false;
    std::optional<double> replay_lag_seconds; // on a standby
    std::string at;                           // RFC 3339
    std::string server = {};                  // host:port that answered, in a target of several
    /// Mode of the pooler between: "session", "transaction", pooler_mode_unknown; "" = none.
    std::string pooler = {};
    /// What the connection itself has to tell; told with the evidence by publish().
    std::vector<NotExamined> gaps = {};
    std::vector<Finding> findings = {};
};

enum class ColumnType { text, integer, real, boolean, timestamp };

/// At once the decoder of a result column, its output schema, its documentation and the test
/// oracle.
struct Column {
    std::string_view name;
    ColumnType type = ColumnType::text;
    std::string_view unit = {};
    std::string_view about = {};
    bool untrusted = false; // text that a user of the database chose: marked as data in the packet
    bool sql_text = false;  // untrusted, and literals are masked before anyone sees it
};

struct EvidenceRows {
    std::string name; // "sessions", "edges"
    const std::vector<Column>* columns = nullptr;
    std::vector<std::vector<std::optional<std::string>>> cells; // text form, already sanitised
};

struct Evidence {
    std::string id;
    std::string tool;
    std::string summary; // one sentence
    std::vector<Finding> findings;
    std::vector<EvidenceRows> rows;
    std::vector<NotExamined> not_examined;
    std::optional<Cut> cut;
    Source source;
};

/// A tool's answer as the protocol needs it: structuredContent and the text for a reader.
struct Output {
    std::string structured; // JSON object text, valid against the tool's output schema
    std::string text;       // at most limits::result_text_chars_max + marker line
    bool is_error = false;
    std::string error_code = {}; // the stable code of structured.error; "" unless is_error
};

} // namespace interlock::tools
