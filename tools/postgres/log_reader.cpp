#include "tools/postgres/log_reader.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/postgres/log_mask.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

namespace interlock::tools {
namespace {

namespace limits = base::limits;

char folded(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Where `part` (lower case, not empty) begins in `text` at or behind `from`; npos: nowhere.
std::size_t find_folded(std::string_view text, std::string_view part, std::size_t from) {
    const auto found = std::search(
        text.begin() + static_cast<std::ptrdiff_t>(from),
        text.end(),
        part.begin(),
        part.end(),
        [](char a, char b) { return folded(a) == b; }
    );
    return found == text.end() ? std::string_view::npos
                               : static_cast<std::size_t>(found - text.begin());
}

/// Without " at character 15", which the text format writes behind a message and the others apart:
/// where in its statement an error was makes no other kind.
std::string_view without_position(std::string_view message) {
    constexpr std::string_view words = " at character ";
    const std::size_t digits = message.find_last_not_of("0123456789") + 1;
    return digits < message.size() && message.substr(0, digits).ends_with(words)
               ? message.substr(0, digits - words.size())
               : message;
}

/// Counts what is in the window, and puts what is asked for into the tally.
class Counting final : public LogSink {
public:
    Counting(const LogQuestion& question, LogReading& reading)
        : question_{question}, reading_{reading}, pattern_{question.pattern} {}

    void begin(LogFileRead& file) {
        file_ = &file;
        past_ = false;
    }
    /// An entry so far behind the window was seen that none of it can follow.
    bool past() const { return past_; }

    bool wants(const std::optional<base::Time>& at, LogLevel level) override {
        if (at && (*at < question_.from || *at > question_.to)) {
            past_ = past_ || *at > question_.to + limits::log_disorder_max;
            return false;
        }
        ++reading_.levels[static_cast<std::size_t>(level)];
        ++reading_.entries;
        ++file_->entries;
        if (at) {
            file_->first = file_->first ? std::min(*file_->first, *at) : *at;
            file_->last = file_->last ? std::max(*file_->last, *at) : *at;
        } else {
            ++reading_.untimed;
        }
        return level >= question_.level_min;
    }

    void take(const LogEntry& entry) override {
        if (!entry.sqlstate.starts_with(question_.sqlstate) || !matches(entry)) {
            return;
        }
        ++reading_.matched;
        fingerprint_.clear();
        mask_log_message(
            without_position(entry.message),
            LogMask::fingerprint,
            log_fingerprint_bytes_max,
            fingerprint_
        );
        reading_.tally.add(entry, fingerprint_);
    }

    void unreadable() override { ++reading_.unreadable; }

private:
    /// Only in what may be shown: a pattern must not be a way to ask for what is masked. Masking is
    /// the dearer step, so the text as it stands is looked at first.
    bool matches(const LogEntry& entry) {
        if (pattern_.empty()) {
            return true;
        }
        const auto holds = [&](const std::string& text, bool sql, bool message) {
            if (text.empty() || !pattern_.matches(text)) {
                return false;
            }
            masked_.clear();
            if (message) {
                mask_log_message(text, LogMask::search, limits::log_field_bytes_max, masked_);
            } else {
                mask_log_text(text, LogMask::search, sql, limits::log_field_bytes_max, masked_);
            }
            return pattern_.matches(masked_);
        };
        return holds(entry.message, false, true) || holds(entry.statement, true, false) ||
               holds(entry.detail, false, false) || holds(entry.context, false, false);
    }

    const LogQuestion& question_;
    LogReading& reading_;
    LogPattern pattern_;
    LogFileRead* file_ = nullptr;
    bool past_ = false;
    std::string fingerprint_;
    std::string masked_;
};

/// With several log_destinations the same entries stand in several files: one of them is read, in
/// the richest format. They are written together and called alike.
class Twins {
public:
    /// Whether `name` says the same as one that was read. Names come last written first.
    bool seen(const LogFile& file, LogFormat format) {
        constexpr std::chrono::seconds together{5};
        const std::string stem = std::filesystem::path(file.name()).stem().string();
        const auto other = read_.find(stem);
        if (other != read_.end() && other->second.format != format &&
            std::chrono::abs(other->second.modified - file.modified()) <= together) {
            return true;
        }
        read_[stem] = {format, file.modified()};
        return false;
    }

private:
    struct Twin {
        LogFormat format;
        base::Time modified;
    };
    std::map<std::string, Twin> read_;
};

class Pass {
public:
    Pass(
        const LogQuestion& question,
        const LogSettings& settings,
        base::Clock& clock,
        const std::stop_token& stop,
        LogReading& reading
    )
        : question_{question},
          prefix_{settings.line_prefix},
          times_{settings.zone},
          clock_{clock},
          stop_{stop},
          deadline_{clock.ticks() + limits::log_read_max},
          reading_{reading},
          counting_{question, reading} {}

    base::Status run(const LogDirectory& directory) {
        INTERLOCK_TRY(
            LogDirectoryFiles listed, directory.list(question_.from - limits::log_disorder_max)
        );
        reading_.more_files = listed.more;
        for (const RefusedFile& refused : listed.refused) {
            refuse(refused.name, refused.why);
        }
        std::stable_sort(
            listed.names.begin(),
            listed.names.end(),
            [](const auto& a, const auto& b) {
                return richness(a) > richness(b); // twins: the richest first
            }
        );
        for (const std::string& name : listed.names) {
            if (over()) {
                break;
            }
            auto file = directory.file(name);
            if (!file) {
                refuse(name, file.error().what);
            } else if ((*file)->bytes() > 0) {
                read(**file);
            }
        }
        reading_.unknown_zone = times_.unknown_zone();
        return base::done;
    }

private:
    static int richness(const std::string& name) {
        return name.ends_with(".json") ? 2 : name.ends_with(".csv") ? 1 : 0;
    }

    bool over() {
        reading_.stopped = stop_.stop_requested();
        reading_.time_up = reading_.time_up || clock_.ticks() >= deadline_;
        return reading_.stopped || reading_.time_up;
    }

    void refuse(const std::string& name, const std::string& why) {
        if (reading_.refused.size() < limits::log_files_told_max) {
            reading_.refused.push_back({name, why});
        } else {
            ++reading_.refused_more;
        }
    }

    void read(const LogFile& file) {
        const LogParts parts{times_, prefix_, counting_};
        const std::size_t head =
            file.read(buffer_.data(), std::min(limits::log_probe_bytes, buffer_.size()), 0);
        const auto format = detect_log_format({buffer_.data(), head}, parts);
        if (!format) {
            refuse(file.name(), "no log of PostgreSQL: no entry is told in its beginning");
            return;
        }
        if (twins_.seen(file, *format)) {
            refuse(
                file.name(), "the same entries stand in a file of another format, which is read"
            );
            return;
        }
        const auto parser = make_log_parser(*format, parts);
        const EntryTime entry_time = [&](std::string_view line, std::optional<base::Time>& at) {
            return parser->begins(line, at);
        };
        LogFileRead told;
        told.name = file.name();
        told.format = *format;
        told.bytes = file.bytes();
        const std::int64_t from = first_offset(file, question_.from, buffer_, entry_time);
        counting_.begin(told);
        const bool has_sqlstates = *format != LogFormat::text || prefix_.has('e');
        reading_.no_sqlstates = reading_.no_sqlstates || !has_sqlstates;
        LogLines lines{file, buffer_, from};
        read_lines(lines, *parser);
        told.read = lines.bytes_read();
        reading_.torn = reading_.torn || lines.torn() > 0;
        reading_.files.push_back(std::move(told));
    }

    void read_lines(LogLines& lines, LogParser& parser) {
        constexpr int lines_between_looks = 4'096;
        std::string_view line;
        bool cut = false;
        for (int count = 0; lines.next(line, cut); ++count) {
            parser.line(line, cut);
            if (counting_.past() || (count % lines_between_looks == 0 && over())) {
                break;
            }
        }
        parser.end();
    }

    const LogQuestion& question_;
    LogPrefix prefix_;
    LogTimeReader times_;
    base::Clock& clock_;
    std::stop_token stop_;
    base::Ticks deadline_;
    LogReading& reading_;
    Counting counting_;
    Twins twins_;
    std::vector<char> buffer_ = std::vector<char>(limits::log_buffer_bytes);
};

} // namespace

LogPattern::LogPattern(std::string_view pattern) {
    while (!pattern.empty()) {
        const std::size_t star = std::min(pattern.find('*'), pattern.size());
        if (star > 0) {
            parts_.push_back(base::lower_ascii(pattern.substr(0, star)));
        }
        pattern.remove_prefix(std::min(star + 1, pattern.size()));
    }
}

bool LogPattern::matches(std::string_view text) const {
    std::size_t at = 0;
    for (const std::string& part : parts_) {
        const std::size_t found = find_folded(text, part, at);
        if (found == std::string_view::npos) {
            return false;
        }
        at = found + part.size();
    }
    return true;
}

base::Result<LogReading> read_logs_directory(
    const std::string& directory,
    const LogQuestion& question,
    const LogSettings& settings,
    base::Clock& clock,
    const std::stop_token& stop
) {
    INTERLOCK_TRY(const auto opened, LogDirectory::open(directory));
    LogReading reading;
    Pass pass{question, settings, clock, stop, reading};
    INTERLOCK_CHECK(pass.run(*opened));
    return reading;
}

} // namespace interlock::tools
