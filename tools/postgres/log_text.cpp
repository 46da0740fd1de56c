// The stderr format: prefix, label, two spaces, text; what belongs to an entry follows as DETAIL,
// HINT, QUERY, CONTEXT, STATEMENT, and later lines of a text are indented by a tab.
#include "base/text.hpp"
#include "tools/postgres/log_parser.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

constexpr std::string_view label_end = ":  ";
constexpr std::size_t label_bytes_max = 24;
constexpr std::size_t prefix_searched = 512; // for a label behind a prefix that is not known

struct Label {
    LogLevel level = LogLevel::other;
    std::string LogEntry::*field = nullptr; // of the entry before; message: a new entry
    std::size_t length = 0;                 // with the two spaces
};

struct Continuation {
    std::string_view word;
    std::string LogEntry::*field; // nullptr: not kept
};
constexpr std::array continuations{
    Continuation{"STATEMENT", &LogEntry::statement},
    Continuation{"DETAIL", &LogEntry::detail},
    Continuation{"CONTEXT", &LogEntry::context},
    Continuation{"HINT", &LogEntry::hint},
    Continuation{"QUERY", &LogEntry::statement},
    Continuation{"LOCATION", nullptr},
    Continuation{"BACKTRACE", nullptr}};

bool is_upper_word(std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '1' && c <= '5') ||
               static_cast<unsigned char>(c) >= 0x80; // of another language
    });
}

/// The label at the beginning of `text`. `strict`: only words that are known.
std::optional<Label> label_at(std::string_view text, bool strict) {
    const std::size_t end = text.substr(0, label_bytes_max).find(label_end);
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view word = text.substr(0, end);
    Label label{
        .level = log_level(word), .field = &LogEntry::message, .length = end + label_end.size()};
    if (label.level != LogLevel::other) {
        return label;
    }
    for (const Continuation& each : continuations) {
        if (each.word == word) {
            label.field = each.field;
            return label;
        }
    }
    return !strict && is_upper_word(word) ? std::optional{label} : std::nullopt;
}

/// "42P01: " before a message (log_error_verbosity = verbose); "" = none.
std::string_view verbose_sqlstate(std::string_view message) {
    if (message.size() < 7 || message.substr(5, 2) != ": ") {
        return {};
    }
    const std::string_view code = message.substr(0, 5);
    const bool fits = std::all_of(code.begin(), code.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    });
    return fits ? code : std::string_view{};
}

class TextLogParser final : public LogParser {
public:
    explicit TextLogParser(const LogParts& parts) : parts_{parts} {}

    void line(std::string_view text, bool) override {
        if (text.starts_with('\t')) {
            if (piece_ != nullptr) {
                append_field(*piece_, "\n");
                append_field(*piece_, text.substr(1));
            }
            return;
        }
        LogPrefix::Fields fields;
        std::size_t begin = 0;
        const auto label = find_label(text, fields, begin);
        if (!label) {
            flush();
            parts_.sink.unreadable();
            return;
        }
        const std::string_view rest = text.substr(begin + label->length);
        if (label->field == &LogEntry::message) {
            begin_entry(fields, *label, rest);
        } else {
            continue_entry(fields, *label, rest);
        }
    }

    void end() override { flush(); }

    bool begins(std::string_view text, std::optional<base::Time>& at) override {
        LogPrefix::Fields fields;
        std::size_t begin = 0;
        const auto label = text.starts_with('\t') ? std::nullopt : find_label(text, fields, begin);
        at = fields.at;
        return label && label->field == &LogEntry::message;
    }

private:
    std::optional<Label>
    find_label(std::string_view text, LogPrefix::Fields& fields, std::size_t& begin) const {
        begin = parts_.prefix.match(text, parts_.times, fields);
        if (begin > 0) {
            if (const auto label = label_at(text.substr(begin), /*strict=*/false)) {
                return label;
            }
        }
        if (!fields.timed) { // the prefix is another one: a time is looked for
            guess(text, fields);
        } else if (fields.pid.empty()) {
            guess_pid(text.substr(0, prefix_searched), fields);
        }
        const auto label = search_label(text, begin);
        if (label && !fields.application.empty() && parts_.prefix.ends_with('a')) {
            // It has blanks, as what ends it has: it goes on up to the label.
            const auto start = static_cast<std::size_t>(fields.application.data() - text.data());
            fields.application = base::trim(text.substr(start, begin - start));
        }
        return label;
    }

    /// Time and process of a prefix that is not known.
    void guess(std::string_view text, LogPrefix::Fields& fields) const {
        constexpr std::size_t time_within = 64;
        fields = {};
        for (std::size_t i = 0; i < std::min(text.size(), time_within); ++i) {
            if (text[i] >= '0' && text[i] <= '9' && (i == 0 || text[i - 1] < '0')) {
                if (const std::size_t length = parts_.times.read(text.substr(i), fields.at)) {
                    fields.timed = true;
                    guess_pid(text.substr(i + length, time_within), fields);
                    return;
                }
            }
        }
    }

    static void guess_pid(std::string_view text, LogPrefix::Fields& fields) {
        const std::size_t open = text.find('[');
        const std::size_t close = text.find_first_not_of("0123456789", open + 1);
        if (open != std::string_view::npos && close != std::string_view::npos &&
            (text[close] == ']' || text[close] == '-')) {
            fields.pid = text.substr(open + 1, close - open - 1);
        }
    }

    static std::optional<Label> search_label(std::string_view text, std::size_t& begin) {
        const std::string_view near = text.substr(0, prefix_searched);
        for (std::size_t end = near.find(label_end); end != std::string_view::npos;
             end = near.find(label_end, end + 1)) {
            std::size_t start = end;
            while (start > 0 && near[start - 1] >= '1' && near[start - 1] <= 'Z' &&
                   near[start - 1] != ':') {
                --start;
            }
            if (const auto label = label_at(text.substr(start), /*strict=*/true)) {
                begin = start;
                return label;
            }
        }
        return std::nullopt;
    }

    void begin_entry(const LogPrefix::Fields& fields, const Label& label, std::string_view rest) {
        flush();
        open_ = true;
        wanted_ = parts_.sink.wants(fields.at, label.level);
        piece_ = nullptr;
        pid_ = fields.pid;
        if (!wanted_) {
            return;
        }
        entry_.clear();
        entry_.at = fields.at;
        entry_.level = label.level;
        entry_.pid = fields.pid;
        append_field(entry_.user, fields.user);
        append_field(entry_.database, fields.database);
        append_field(entry_.application, fields.application);
        entry_.sqlstate = fields.sqlstate;
        if (const auto code = verbose_sqlstate(rest); !code.empty() && entry_.sqlstate.empty()) {
            entry_.sqlstate = code;
            rest.remove_prefix(7);
        }
        piece_ = &entry_.message;
        append_field(*piece_, rest);
    }

    void
    continue_entry(const LogPrefix::Fields& fields, const Label& label, std::string_view rest) {
        piece_ = nullptr;
        if (!open_ || pid_ != fields.pid) { // its entry stands before what we were given to read
            return;
        }
        if (wanted_ && label.field != nullptr) {
            piece_ = &(entry_.*label.field);
            if (!piece_->empty()) {
                append_field(*piece_, "\n");
            }
            append_field(*piece_, rest);
        }
    }

    void flush() {
        if (open_ && wanted_) {
            parts_.sink.take(entry_);
        }
        open_ = false;
        piece_ = nullptr;
    }

    LogParts parts_;
    LogEntry entry_;
    std::string pid_;              // of the entry
    std::string* piece_ = nullptr; // which text of it goes on
    bool open_ = false;
    bool wanted_ = false;
};

} // namespace

std::unique_ptr<LogParser> make_text_log_parser(const LogParts& parts) {
    return std::make_unique<TextLogParser>(parts);
}

} // namespace interlock::tools
