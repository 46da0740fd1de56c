// A program's memory of the audit log, kept outside the store: the last checkpoint it signed, and
// the frontier of that tree beside it, which the checkpoint's root vouches for. What it signs next
// must continue what it saw before, so a log that was cut, rewritten or restored from an older copy
// is noticed, at the price of the leaves that are new.
#pragma once

#include "base/db/store.hpp"
#include "base/digest.hpp"
#include "base/result.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/merkle.hpp"

#include <map>
#include <optional>
#include <string>

namespace interlock::telemetry {

/// How closely new leaves are looked at.
enum class Scrutiny {
    hashes,  // that the stored leaf hashes lead to the stored root: for the program that appends
    records, // that records and payloads hash to them, too: for who acts on what they say
};

/// Not to be shared by threads.
class LogMemory {
public:
    /// `note_path`: the checkpoint; .vkey and .frontier stand beside it. `name` signs.
    LogMemory(std::string note_path, std::string name, base::SigningKey key);

    /// Every record and payload from the first on, and that the log contains the last note. corrupt
    /// when not, here and below; any other error: it could not be read now.
    base::Status verify_all(db::Store& store);
    /// That the log as it stands continues what was seen last: reads what is new, in bounded
    /// batches. At first what the files say; without a frontier, all leaf hashes once.
    base::Status follow(db::Store& store, Scrutiny scrutiny);
    /// That the records of this plan are still those that were seen (of Scrutiny::records): a check
    /// of the new part alone would not see an old record edited.
    base::Status still_says(db::Store& store, const std::string& plan_digest);
    /// Signs what was seen last into the files. Call after verify_all() or follow().
    base::Status keep();

    /// What was seen last; nullopt before the first look.
    const std::optional<Checkpoint>& seen() const { return seen_; }

private:
    struct Head {
        std::string origin;
        Frontier frontier;
    };
    base::Result<std::optional<Checkpoint>> read_note() const;
    base::Status start_from_files(db::Store& store);
    base::Result<Head> head(db::Store& store) const;
    base::Status walk_hashes(db::Store& store, std::uint64_t size);
    base::Status read_records(db::Store& store, const std::vector<Checkpoint>& known);
    void remember_plan(const std::string& plan_digest, const base::Digest& leaf);

    const std::string note_path_;
    const std::string name_;
    const base::SigningKey key_;
    std::optional<Checkpoint> seen_;
    Frontier tree_; // of what was seen
    /// For every plan seen, a hash over its leaves in their order.
    std::map<std::string, base::Digest> plans_;
    bool plans_complete_ = false; // since verify_all(), and not more than may be remembered
};

} // namespace interlock::telemetry
