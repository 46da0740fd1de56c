#include "base/limits.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_log.hpp"

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace interlock::telemetry {

namespace {

using Outcome = base::Result<std::uint64_t>;

/// One caller that waits for its leaf.
struct Waiting {
    explicit Waiting(AuditEntry audit_entry) : entry(std::move(audit_entry)) {}
    AuditEntry entry;
    std::promise<Outcome> outcome;
};

base::Error no_leaf(base::Errc code, std::string what) {
    return {code, std::move(what), "Try again; if it persists, look at the audit store's disk."};
}

class GroupCommit final : public AuditWriter {
public:
    GroupCommit(db::Store& store, base::Random& random, AuditWriterOptions options)
        : store_(store),
          random_(random),
          options_(options),
          thread_([this](const std::stop_token& stop) { work(stop); }) {}

    Outcome append(AuditEntry entry) override {
        INTERLOCK_CHECK(check_audit_entry(entry));
        const auto waiting = std::make_shared<Waiting>(std::move(entry));
        auto outcome = waiting->outcome.get_future();
        {
            const std::lock_guard lock(mutex_);
            if (queue_.size() >= options_.queue_max)
                return no_leaf(
                    base::Errc::store_busy,
                    "The audit log's queue is full, so the call was refused."
                );
            queue_.push_back(waiting);
        }
        arrived_.notify_one();
        if (outcome.wait_for(options_.wait_max) == std::future_status::ready)
            return outcome.get();
        // Not begun yet: leave no leaf of a call that is refused. Begun: it may still be written,
        // and a leaf too many is harmless.
        const std::lock_guard lock(mutex_);
        std::erase(queue_, waiting);
        return no_leaf(
            base::Errc::timeout, "The audit log could not be written in time; the call was refused."
        );
    }

private:
    using Batch = std::vector<std::shared_ptr<Waiting>>;

    /// Runs until it is told to stop and the queue is empty.
    void work(const std::stop_token& stop) {
        for (;;) {
            Batch batch;
            {
                std::unique_lock lock(mutex_);
                arrived_.wait(lock, stop, [this] { return !queue_.empty(); });
                if (queue_.empty())
                    return;
                while (!queue_.empty() && batch.size() < base::limits::audit_batch_max) {
                    batch.push_back(std::move(queue_.front()));
                    queue_.pop_front();
                }
            }
            commit(batch);
        }
    }

    /// All of the batch or nothing of it; nobody is answered before the commit.
    void commit(const Batch& batch) {
        std::vector<std::uint64_t> indexes;
        const auto status = store_.transact([&](db::StoreTransaction& transaction) -> base::Status {
            indexes.clear();
            for (const auto& waiting : batch) {
                INTERLOCK_TRY(const auto index, append_audit(transaction, random_, waiting->entry));
                indexes.push_back(index);
            }
            return base::done;
        });
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i]->outcome.set_value(status ? Outcome{indexes[i]} : Outcome{status.error()});
    }

    db::Store& store_;
    base::Random& random_;
    const AuditWriterOptions options_;
    std::mutex mutex_;
    std::condition_variable_any arrived_;
    std::deque<std::shared_ptr<Waiting>> queue_;
    std::jthread thread_; // last: it starts when all else stands and ends first
};

} // namespace

std::unique_ptr<AuditWriter>
AuditWriter::start(db::Store& store, base::Random& random, AuditWriterOptions options) {
    return std::make_unique<GroupCommit>(store, random, options);
}

} // namespace interlock::telemetry
