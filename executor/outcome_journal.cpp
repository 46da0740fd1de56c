#include "executor/outcome_journal.hpp"

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::executor {

namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::string_view suffix = ".outcome";
// The document stands in it as a JSON string, in which a character may take six bytes.
constexpr std::size_t entry_bytes_max = 6 * base::limits::outcome_bytes_max + 4096;

std::vector<std::string> kept_files(const std::string& directory) {
    std::vector<std::string> files;
    std::error_code failed;
    for (std::filesystem::directory_iterator entry(directory, failed), end; !failed && entry != end;
         entry.increment(failed)) {
        if (entry->path().extension() == suffix) {
            files.push_back(entry->path().string());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

struct Entry {
    approval::Claim claim;
    std::string outcome;
};

base::Result<Entry> read_entry(const std::string& file) {
    INTERLOCK_TRY(const auto text, base::read_file(file, entry_bytes_max));
    INTERLOCK_TRY(const auto document, base::parse_json(text, entry_bytes_max));
    return Entry{
        {base::string_member(document, "plan_id").value_or(""),
         base::string_member(document, "executor").value_or(""),
         base::integer_member(document, "fence").value_or(0),
         ""},
        base::string_member(document, "outcome").value_or("")};
}

/// Errors after which another try may succeed: the store was in the way, not the record.
bool is_passing(Errc code) {
    return code == Errc::store_busy || code == Errc::store_full || code == Errc::store_read_only ||
           code == Errc::store_unreachable || code == Errc::io;
}

/// The queue will never take it: another executor took the plan over, or there is no such plan.
bool is_settled(Errc code) {
    return code == Errc::conflict || code == Errc::not_found;
}

} // namespace

OutcomeJournal::OutcomeJournal(std::string directory) : directory_(std::move(directory)) {}

std::string OutcomeJournal::path(const std::string& plan_id) const {
    // Hashed, because an id comes from the queue and must not choose a path.
    return directory_ + "/" + base::hex(base::sha256(plan_id)) + std::string(suffix);
}

base::Status OutcomeJournal::keep(const approval::Claim& claim, const std::string& outcome) {
    if (directory_.empty()) {
        return base::done;
    }
    INTERLOCK_CHECK(base::make_private_directory(directory_));
    const Json entry = {
        {"plan_id", claim.plan_id},
        {"executor", claim.executor},
        {"fence", claim.fence},
        {"outcome", outcome}};
    return base::write_file_atomically(path(claim.plan_id), base::render_json(entry));
}

void OutcomeJournal::drop(const std::string& plan_id) {
    std::error_code ignored; // a kept outcome that is delivered twice is refused by the queue
    if (!directory_.empty()) {
        (void)std::filesystem::remove(path(plan_id), ignored);
    }
}

base::Result<int> OutcomeJournal::deliver(approval::Queue& queue) {
    int delivered = 0;
    for (const auto& file : kept_files(directory_)) {
        auto entry = read_entry(file);
        base::Status finished = base::done;
        if (entry.ok()) {
            const auto stored = queue.get(entry->claim.plan_id);
            const bool there = stored.ok() && !stored->outcome.empty();
            finished =
                there ? base::Status(base::done) : queue.finish(entry->claim, entry->outcome);
            delivered += finished.ok() && !there ? 1 : 0;
        } else {
            finished = Error{Errc::corrupt, entry.error().what, entry.error().remedy};
        }
        if (!finished.ok() && is_passing(finished.error().code)) {
            return finished.error();
        }
        if (!finished.ok() && finished.error().code == Errc::invalid_transition) {
            continue; // not ended yet: its executor is at work, or its successor will replace it
        }
        if (!finished.ok() && !is_settled(finished.error().code)) {
            base::log_warning(
                "outcome.kept", {{"file", file}, {"why", base::to_text(finished.error())}}
            );
            continue; // the only copy of what an execution did is not for us to throw away
        }
        if (!finished.ok()) {
            base::log_warning(
                "outcome.dropped", {{"file", file}, {"why", base::to_text(finished.error())}}
            );
        }
        std::error_code ignored;
        (void)std::filesystem::remove(file, ignored);
    }
    return delivered;
}

} // namespace interlock::executor
