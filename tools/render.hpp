// Evidence to what the protocol carries, cut by rule: cells to 500 characters, rows from the last
// rank upwards, text to 10,000 characters and then the marker and the address of the whole. The
// structured form stays valid JSON however much is left out.
#pragma once

#include "base/db/table.hpp"
#include "tools/evidence.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// A database's cells in the order of `columns` (found by name): sanitised, SQL masked. Secrets are
/// still in them: redact_evidence.
std::vector<std::vector<db::Cell>>
decode_rows(const db::Table& table, const std::vector<Column>& columns);

/// Takes secrets out of all that others wrote: cells of text, findings, gaps, the summary. Done
/// once, on whole texts, before anything is rendered, cut or stored.
void redact_evidence(Evidence& evidence);

struct Rendered {
    std::string whole; // the uncut packet, JSON text: what the evidence store keeps
    Output output;
};

/// Pure. `evidence.id` must be set; `evidence.cut` is computed here. Shows what it is given:
/// publish() (tools/run.hpp) has redacted it.
Rendered render_evidence(const Evidence& evidence);

/// A reader's text under construction: lines until the budget is used up, then only counting. The
/// rule of the cut lives here, for packets and for diagnoses.
class TextBudget {
public:
    explicit TextBudget(std::size_t characters_max);
    /// Adds a line if it fits beside what is held back for later sections; false: left out.
    bool add(std::string_view line, std::size_t held_back = 0);
    /// Counts a line that is left out because an earlier one was: order must not have holes.
    void leave_out(std::string_view line);
    std::size_t left_out() const { return left_out_; }
    /// The text; when anything was left out, the marker and one line that says how much and where.
    std::string finish(const std::string& evidence_id, std::size_t rows_left_out) const;

private:
    std::size_t characters_max_;
    std::size_t used_ = 0;
    std::size_t left_out_ = 0;
    std::string text_;
};

/// Address of a stored result.
std::string evidence_address(const std::string& id);
/// "182 s", "4.2 s", "250 ms".
std::string seconds_text(double seconds);
/// "0 B", "512 B", "1.5 kB", "16.0 MB", "2.0 TB": as PostgreSQL counts, in powers of 1024.
std::string bytes_text(double bytes);
/// "12.3": a number with this many decimals.
std::string number_text(double value, int decimals = 0);
/// With a full stop, unless the text ends with a mark of its own.
std::string sentence(std::string text);
/// "transaction mode", "a mode not yet known".
std::string pooler_mode_text(std::string_view mode);
/// "1 session", "3 sessions".
std::string counted(long long count, std::string_view singular, std::string_view plural);

} // namespace interlock::tools
