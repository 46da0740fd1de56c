// The table of what is redacted: for each rule its name, the letters that make it look (so that
// ordinary text is passed over at the speed of two table look-ups a byte), and the detector.
// redaction.cpp runs them.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace interlock::telemetry {

/// A text under examination. `work` counts bytes looked at beyond the one pass; redaction.cpp
/// gives up, and shows nothing more, when it passes a multiple of the text's size.
struct Reading {
    std::string_view text;
    std::size_t work = 0;
    bool bare_is_code = false; // SQL whose literals are gone, outside a quoted name
    bool nested = false;       // the value of a literal of another text

    char at(std::size_t index) const { return index < text.size() ? text[index] : '\0'; }
};

/// What is to be replaced; nothing when from == to.
struct Match {
    std::size_t from = 0;
    std::size_t to = 0;
    /// The text of the argument list that begins at `to` has secrets in its literals.
    bool opens_call = false;
};

using Detector = std::optional<Match> (*)(Reading&, std::size_t at, std::size_t behind);

struct RedactionRule {
    std::string_view name;
    std::string_view label; // [redacted:name]
    /// Lower case; any makes the rule look. They match in any case.
    std::vector<std::string_view> triggers;
    Detector find;         // `at` the trigger's first byte, `behind` one past its last
    bool in_sql = true;    // also for SQL whose literals are masked
    bool optional = false; // only when asked for
};

const std::vector<RedactionRule>& redaction_rules();

/// Whether a rule finds anything in the value of a literal; literals in it are not read again.
bool holds_secret(std::string_view decoded);

/// The label that begins here, "" if none does.
std::string_view label_at(std::string_view text, std::size_t at);

} // namespace interlock::telemetry
