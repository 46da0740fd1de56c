// The audit log: every state change and every tool call is a leaf of one Merkle tree, kept in the
// store. A state change appends in its own transaction; tool calls append in batches, and their
// leaves are durable before anything of them leaves. The leaf commits to SHA256(salt || payload),
// so that a payload can be erased without breaking proofs.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "telemetry/checkpoint.hpp"
#include "telemetry/merkle.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace interlock::telemetry {

class Metrics;

class AuditTicket;

struct AuditEntry {
    std::string type;        // "tool.begin", "tool.end", "plan.submitted", "plan.approved", ...
    std::string actor;       // subject of who did it, or the program for its own acts
    std::string plan_digest; // hex; "" when there is none
    std::string payload;     // JSON text; kept apart, salted
    /// When this one is known to be lost, so is the entry: no end without a begin. AuditWriter
    /// only.
    std::shared_ptr<AuditTicket> after = {};
    /// Somebody is about to wait for it: it is not kept back, and its time to be written runs from
    /// when it is handed over, however late wait() is called. AuditWriter only.
    bool awaited = false;
};

/// Tables of the log; called once by whoever creates the store.
base::Status create_audit_tables(db::StoreTransaction& transaction, base::Random& random);

/// Appends one leaf inside the caller's transaction and returns its index. A failure must fail the
/// transaction: no effect without its leaf.
base::Result<std::uint64_t>
append_audit(db::StoreTransaction& transaction, base::Random& random, const AuditEntry& entry);
/// The end of the log as somebody who appends again and again wrote it last, so that it need not be
/// made out of its text anew. Belongs to one store; not to be shared by threads.
struct AuditTail {
    std::string text;
    Frontier frontier;
};
/// Several in their order, for the price of one look at the log's state. Returns the first's index;
/// the others follow it.
base::Result<std::uint64_t> append_audit(
    db::StoreTransaction& transaction,
    base::Random& random,
    std::span<const AuditEntry> entries,
    AuditTail& tail
);

/// Size and root as stored.
base::Result<Checkpoint> audit_head(db::StoreTransaction& transaction);

struct AuditWriterOptions {
    std::chrono::milliseconds wait_max = base::limits::audit_wait_max;
    std::size_t queue_max = base::limits::audit_queue_max;
    /// How long a leaf that nobody waits for may be kept back to share the commit of one that
    /// somebody does: as a call's first leaf shares that of its second.
    std::chrono::milliseconds linger{20};
    /// When given, told how long each batch's first leaf took to get on disk.
    Metrics* metrics = nullptr;
    base::Clock* clock = nullptr;
};

/// A leaf that was handed over. Thread-safe. Who lets it go without waiting leaves it to be written
/// all the same.
class AuditTicket {
public:
    virtual ~AuditTicket() = default;
    /// Its index once it is on disk, or why it is not: the log could not be written, or not in
    /// time.
    virtual base::Result<std::uint64_t> wait() = 0;
    /// Whether it is known never to come onto the disk. Does not wait.
    virtual bool lost() const { return false; }
    /// Whether wait() would return at once.
    virtual bool known() const { return false; }
};

/// Group commit for tool calls, in the order in which leaves were handed over: a leaf is on disk
/// only when all before it are, or have failed. Safe to share by threads; what is queued at
/// destruction is still written.
///
/// Promise of what stands on it (server/call.cpp): nothing of a call leaves the server before both
/// its leaves are on disk, and a call that can change anything begins only when its first one is.
class AuditWriter {
public:
    static std::unique_ptr<AuditWriter>
    start(db::Store& store, base::Random& random, AuditWriterOptions options = {});
    virtual ~AuditWriter() = default;
    /// Hands a leaf over; an Error when it cannot be taken, and then the call must fail closed.
    virtual base::Result<std::shared_ptr<AuditTicket>> enqueue(AuditEntry entry) = 0;
    /// Hands it over and waits for it.
    base::Result<std::uint64_t> append(AuditEntry entry);
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
    std::uint64_t erased_payloads = 0;     // all that are missing
    std::uint64_t unrecorded_erasures = 0; // of these, those no record accounts for: problems
    std::uint64_t erasure_records = 0;
    std::uint64_t checkpoints_checked = 0;
    Frontier tree;                     // of the leaves as recomputed
    std::vector<std::string> problems; // one sentence each, with the leaf index
};

/// How much is verified. By default everything, and up to a bound every problem is told.
struct AuditScope {
    /// A beginning that was verified before: only what follows is read, and only checkpoints that
    /// are not older can be compared.
    Frontier from;
    /// Reading ends when so many problems are found: one is enough to refuse.
    std::size_t problems_max = base::limits::audit_problems_max;
    /// Told of every leaf in order: index, plan digest ("" = none), recomputed hash.
    std::function<void(std::uint64_t, const std::string&, const base::Digest&)> on_leaf;
};

/// Recomputes every leaf, payload hash, sequence number and the root; proves that each of
/// `checkpoints` (already signature-checked) is a prefix of this log; holds every missing payload
/// against the recorded erasures.
base::Result<AuditVerification>
verify_audit(db::Store& store, const std::vector<Checkpoint>& checkpoints, AuditScope scope = {});
/// Records from `first`, at most `count`, optionally of one plan.
base::Result<std::vector<AuditRecord>> read_audit(
    db::Store& store, std::uint64_t first, std::size_t count, const std::string& plan_digest = {}
);

} // namespace interlock::telemetry
