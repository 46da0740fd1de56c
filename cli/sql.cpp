#include "cli/sql.hpp"

#include "base/db/sql_guard.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/signals.hpp"

#include <array>
#include <cerrno>
#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace interlock::cli {
namespace {

using base::Json;
using db::GuardVerdict;

constexpr int poll_milliseconds = 200; // how soon a stop is seen
constexpr std::size_t chunk_bytes = 64 * 1024;

GuardVerdict no_statement(std::string reason) {
    return {.allowed = false, .family = "malformed", .reason = std::move(reason), .remedy = ""};
}

GuardVerdict judge_line(std::string_view line) {
    const auto document = base::parse_json(line);
    if (!document) {
        return no_statement("The line is no JSON object: " + document.error().what);
    }
    const auto sql = base::string_member(*document, "sql");
    if (!sql) {
        return no_statement(R"(The line is no object with a text "sql".)");
    }
    return db::guard_sql(*sql).verdict;
}

std::string line_of(const GuardVerdict& verdict) {
    const Json document{
        {"verdict", verdict.allowed ? "allow" : "deny"},
        {"class", verdict.family},
        {"reason", verdict.reason}};
    return document.dump(-1, ' ', true, Json::error_handler_t::replace);
}

bool write_all(int out, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(out, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return true;
}

/// Bytes to lines to answers. A line longer than any request may be is not kept, only counted.
class Lines {
public:
    /// Answers to the lines that `bytes` ends.
    std::string take(std::string_view bytes) {
        std::string answers;
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            const auto piece = bytes.substr(0, end);
            too_long_ = too_long_ || line_.size() + piece.size() > base::limits::json_bytes_max;
            if (!too_long_) {
                line_ += piece;
            }
            pending_ = true;
            if (end == std::string_view::npos) {
                break;
            }
            answers += answer();
            bytes.remove_prefix(end + 1);
        }
        return answers;
    }
    /// The answer to a last line without a newline.
    std::string finish() { return pending_ ? answer() : ""; }

private:
    std::string answer() {
        const auto text =
            too_long_ ? line_of(
                            {.allowed = false,
                             .family = "dos_parser",
                             .reason = "The line has more than " +
                                       std::to_string(base::limits::json_bytes_max) + " bytes.",
                             .remedy = ""}
                        )
                      : check_sql_line(line_);
        line_.clear();
        too_long_ = false;
        pending_ = false;
        return text + "\n";
    }

    std::string line_;
    bool too_long_ = false;
    bool pending_ = false;
};

base::Error broken(const char* what) {
    return {base::Errc::io, what, "Look at what is connected to this program."};
}

} // namespace

std::string check_sql_line(std::string_view line) {
    return line_of(judge_line(line));
}

Exit check_sql_lines(int in, int out) {
    Lines lines;
    std::array<char, chunk_bytes> buffer{};
    for (;;) {
        pollfd item{in, POLLIN, 0};
        const int ready = ::poll(&item, 1, poll_milliseconds);
        if (base::stop_requested()) {
            return Exit::failed;
        }
        if (ready == 0 || (ready < 0 && errno == EINTR)) {
            continue;
        }
        const auto count = ::read(in, buffer.data(), buffer.size());
        if (count < 0 && errno != EINTR) {
            return report(broken("The input cannot be read."), false);
        }
        const auto bytes = count > 0 ? static_cast<std::size_t>(count) : 0;
        const auto answers =
            count == 0 ? lines.finish() : lines.take(std::string_view{buffer.data(), bytes});
        if (!write_all(out, answers)) {
            return report(broken("The answers cannot be written."), false);
        }
        if (count == 0) {
            return Exit::ok;
        }
    }
}

Exit check_sql(const SqlOptions& options) {
    if (options.jsonl) {
        return check_sql_lines(STDIN_FILENO, STDOUT_FILENO);
    }
    const auto verdict = db::guard_sql(options.sql).verdict;
    if (options.json) {
        print_line(line_of(verdict));
    } else if (verdict.allowed) {
        print_line("allow: " + verdict.reason);
    } else {
        print_line("deny (" + verdict.family + "): " + verdict.reason + " " + verdict.remedy);
    }
    return verdict.allowed ? Exit::ok : Exit::refused;
}

} // namespace interlock::cli
