// Whole results, kept so that the model can be given a cut. A table with a byte budget
// (limits.hpp); least recently used goes first; only the identity that asked, and the approvers of
// a plan that cites it, may read it.
#pragma once

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace interlock::tools {

struct StoredEvidence {
    std::string id;      // ev_...
    std::string subject; // who asked
    std::string tool;
    std::string target;
    std::string created; // RFC 3339
    std::string body;    // the whole structured packet, JSON text
};

/// An id that follows from all the rest of the record: who cites it cites these bytes. The body may
/// hold `evidence.id` where it names itself; any id of that form does until this one is known.
std::string evidence_id(const StoredEvidence& evidence);

class EvidenceStore {
public:
    virtual ~EvidenceStore() = default;
    /// Stores a record under its evidence_id(), and under no other.
    virtual base::Status put(const StoredEvidence& evidence) = 0;
    /// not_found for unknown, expired and foreign ids alike: no oracle. corrupt: what is kept is
    /// not what was kept at first.
    virtual base::Result<StoredEvidence> get(const std::string& id, const std::string& subject) = 0;
    /// Whether the id exists and belongs to `subject`, without reading it.
    virtual bool owns(const std::string& id, const std::string& subject) = 0;
    /// Ids of `subject` that begin with `prefix`, newest first: of the last results that this
    /// process stored, without looking anything up on disk.
    virtual std::vector<std::string>
    recent(const std::string& subject, const std::string& prefix, std::size_t count_max) = 0;
};

/// In a SQLite file below `directory`; processes may share it.
base::Result<std::unique_ptr<EvidenceStore>>
open_evidence_directory(const std::string& directory, base::Clock& clock);

} // namespace interlock::tools
