// The audit log: every state change and every tool call is a leaf of one Merkle tree, kept in the
// store. A state change appends in its own transaction; tool calls append in batches and are
// durable before their result leaves. The leaf commits to SHA256(salt || payload), so that a
// payload can be erased without breaking proofs.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "telemetry/checkpoint.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace interlock::telemetry {

struct AuditEntry {
    std::string type;        // "tool.begin", "tool.end", "plan.submitted", "plan.approved", ...
    std::string actor;       // subject of who did it, or the program for its own acts
    std::string plan_digest; // hex; "" when there is none
    std::string payload;     // JSON text; kept apart, salted
};

/// Tables of the log; called once by whoever creates the store.
base::Status create_audit_tables(db::StoreTransaction& transaction, base::Random& random);

/// Appends one leaf inside the caller's transaction and returns its index. A failure must fail the
/// transaction: no effect without its leaf.
base::Result<std::uint64_t>
append_audit(db::StoreTransaction& transaction, base::Random& random, const AuditEntry& entry);

/// Size and root as stored.
base::Result<Checkpoint> audit_head(db::StoreTransaction& transaction);

struct AuditWriterOptions {
    std::chrono::milliseconds wait_max = base::limits::audit_wait_max;
    std::size_t queue_max = base::limits::audit_queue_max;
};

/// Group commit for tool calls: append() returns once its leaf is on disk, or an Error when the
/// log cannot be written in time; then the call must fail closed. Safe to share by threads; what is
/// queued at destruction is still written.
class AuditWriter {
public:
    static std::unique_ptr<AuditWriter>
    start(db::Store& store, base::Random& random, AuditWriterOptions options = {});
    virtual ~AuditWriter() = default;
    virtual base::Result<std::uint64_t> append(AuditEntry entry) = 0;
};

struct AuditRecord {
    std::uint64_t index = 0;
    std::string header; // the leaf's bytes: JSON {seq,time,type,actor,plan_digest,payload_hash}
    std::optional<std::string> payload; // absent when erased
};

/// What a verification found. `problems` empty means every check below held.
struct AuditVerification {
    std::uint64_t size = 0;
    base::Digest root;
    std::uint64_t erased_payloads = 0;
    std::uint64_t checkpoints_checked = 0;
    std::vector<std::string> problems; // one sentence each, with the leaf index
};

/// Recomputes every leaf, payload hash, sequence number and the root; proves that each of
/// `checkpoints` (already signature-checked) is a prefix of this log.
base::Result<AuditVerification>
verify_audit(db::Store& store, const std::vector<Checkpoint>& checkpoints);
/// Records from `first`, at most `count`, optionally of one plan.
base::Result<std::vector<AuditRecord>> read_audit(
    db::Store& store, std::uint64_t first, std::size_t count, const std::string& plan_digest = {}
);

} // namespace interlock::telemetry
