// The csvlog format: one record an entry, which may stand on several lines. Quotes within a value
// are doubled, so that a lone quote never comes from a session: that tells a record's first line
// from a line within a value that looks like one.
#include "base/limits.hpp"
#include "tools/postgres/log_parser.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

enum CsvField : std::size_t {
    csv_user = 1,
    csv_database = 2,
    csv_pid = 3,
    csv_severity = 11,
    csv_sqlstate = 12,
    csv_message = 13,
    csv_detail = 14,
    csv_hint = 15,
    csv_internal_query = 16,
    csv_context = 18,
    csv_query = 19,
    csv_application = 22,
};
constexpr std::size_t fields_min = 23; // PostgreSQL 9.0 wrote so many; later ones add at the end
constexpr std::size_t fields_kept = 23;

/// A value as it stands in the record; quoted ones without their outer quotes.
struct CsvValue {
    std::string_view raw;
    bool quoted = false;
};

/// Takes the value at `at`, and moves behind the comma. False: it is not well formed, or open.
bool take_value(std::string_view record, std::size_t& at, CsvValue& value, bool& last) {
    std::size_t end = at;
    value.quoted = at < record.size() && record[at] == '"';
    if (value.quoted) {
        for (end = record.find('"', at + 1);; end = record.find('"', end + 2)) {
            if (end == std::string_view::npos) {
                return false;
            }
            if (end + 1 >= record.size() || record[end + 1] != '"') {
                break;
            }
        }
        value.raw = record.substr(at + 1, end - at - 1);
        ++end;
    } else {
        end = std::min(record.find(',', at), record.size());
        value.raw = record.substr(at, end - at);
        if (value.raw.find('"') != std::string_view::npos) {
            return false;
        }
    }
    if (end < record.size() && record[end] != ',') {
        return false;
    }
    last = end >= record.size();
    at = end + 1;
    return true;
}

/// An odd run of quotes opens a value; sessions can write even runs only.
bool opens_value(std::string_view text) {
    const std::size_t run = std::min(text.find_first_not_of('"'), text.size());
    return run % 2 == 1;
}

bool has_open_quote(std::string_view text) {
    return std::count(text.begin(), text.end(), '"') % 2 == 1;
}

void append_unquoted(std::string& field, const CsvValue& value) {
    std::string_view rest = value.raw;
    for (std::size_t quote = rest.find("\"\""); quote != std::string_view::npos;
         quote = rest.find("\"\"")) {
        append_field(field, rest.substr(0, quote + 1));
        rest.remove_prefix(quote + 2);
    }
    append_field(field, rest);
}

class CsvLogParser final : public LogParser {
public:
    explicit CsvLogParser(const LogParts& parts) : parts_{parts} {}

    void line(std::string_view text, bool cut) override {
        std::optional<base::Time> at;
        if (open_ && begins(text, at)) { // the record before was torn
            parts_.sink.unreadable();
            record_.clear();
            open_ = false;
        }
        if (!open_) {
            if (!cut && !has_open_quote(text)) {
                record(text);
                return;
            }
            record_.assign(text);
            open_ = true;
            broken_ = cut;
        } else {
            const bool room =
                record_.size() + text.size() < base::limits::log_record_bytes_max && !cut;
            broken_ = broken_ || !room;
            if (room) {
                record_ += '\n';
                record_ += text;
            }
            if (!has_open_quote(text)) {
                return;
            }
            open_ = false;
        }
        if (!open_) {
            if (broken_) {
                parts_.sink.unreadable();
            } else {
                record(record_);
            }
            record_.clear();
        }
    }

    void end() override {
        if (open_) {
            parts_.sink.unreadable();
        }
        open_ = false;
        record_.clear();
    }

    bool begins(std::string_view text, std::optional<base::Time>& at) override {
        const std::size_t length = parts_.times.read(text, at);
        if (length == 0 || length >= text.size() || text[length] != ',') {
            return false;
        }
        std::size_t next = length + 1;
        CsvValue value;
        bool last = false;
        for (std::size_t i = csv_user; i < csv_message; ++i) {
            const std::size_t start = next;
            if (!take_value(text, next, value, last) || last) {
                return false;
            }
            const bool name = i == csv_user || i == csv_database;
            if (name && value.quoted && !opens_value(text.substr(start))) {
                return false;
            }
            if (i == csv_pid && value.raw.find_first_not_of("0123456789") != std::string::npos) {
                return false;
            }
        }
        return next < text.size() && opens_value(text.substr(next));
    }

private:
    void record(std::string_view text) {
        std::optional<base::Time> at;
        const std::size_t length = parts_.times.read(text, at);
        std::array<CsvValue, fields_kept> values{};
        std::size_t count = 1;
        std::size_t next = length + 1;
        bool last = length == 0 || length >= text.size() || text[length] != ',';
        while (!last) {
            CsvValue value;
            if (!take_value(text, next, value, last)) {
                count = 0;
                break;
            }
            if (count < fields_kept) {
                values[count] = value;
            }
            ++count;
        }
        if (count < fields_min) {
            parts_.sink.unreadable();
            return;
        }
        const LogLevel level = log_level(values[csv_severity].raw);
        if (parts_.sink.wants(at, level)) {
            put_together(values);
            entry_.at = at;
            entry_.level = level;
            parts_.sink.take(entry_);
        }
    }

    void put_together(const std::array<CsvValue, fields_kept>& values) {
        entry_.clear();
        append_unquoted(entry_.user, values[csv_user]);
        append_unquoted(entry_.database, values[csv_database]);
        append_unquoted(entry_.pid, values[csv_pid]);
        append_unquoted(entry_.sqlstate, values[csv_sqlstate]);
        append_unquoted(entry_.message, values[csv_message]);
        append_unquoted(entry_.detail, values[csv_detail]);
        append_unquoted(entry_.hint, values[csv_hint]);
        append_unquoted(entry_.context, values[csv_context]);
        append_unquoted(entry_.statement, values[csv_query]);
        if (entry_.statement.empty()) {
            append_unquoted(entry_.statement, values[csv_internal_query]);
        }
        append_unquoted(entry_.application, values[csv_application]);
    }

    LogParts parts_;
    LogEntry entry_;
    std::string record_; // lines of a record that is not complete
    bool open_ = false;
    bool broken_ = false; // it is too long to be kept
};

} // namespace

std::unique_ptr<LogParser> make_csv_log_parser(const LogParts& parts) {
    return std::make_unique<CsvLogParser>(parts);
}

} // namespace interlock::tools
