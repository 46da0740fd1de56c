#include "base/limits.hpp"
#include "telemetry/audit_format.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/metrics.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

namespace interlock::telemetry {

namespace {

using Outcome = base::Result<std::uint64_t>;

base::Error no_leaf(base::Errc code, std::string what) {
    return {code, std::move(what), "Try again; if it persists, look at the audit store's disk."};
}

class GroupCommit final : public AuditWriter {
public:
    GroupCommit(db::Store& store, base::Random& random, AuditWriterOptions options)
        : store_(store),
          random_(random),
          options_(options),
          queue_(std::make_shared<Queue>()),
          thread_([this] { work(); }) {}
    GroupCommit(const GroupCommit&) = delete;
    GroupCommit& operator=(const GroupCommit&) = delete;
    ~GroupCommit() override {
        {
            const std::lock_guard lock(queue_->mutex);
            queue_->ending = true;
        }
        queue_->changed.notify_one();
    }

    base::Result<std::shared_ptr<AuditTicket>> enqueue(AuditEntry entry) override {
        INTERLOCK_CHECK(check_audit_entry(entry));
        const auto leaf = std::make_shared<Leaf>(queue_, std::move(entry), options_.wait_max);
        if (is_timed())
            leaf->handed_over = options_.clock->ticks();
        if (leaf->entry.awaited)
            leaf->due = base::SystemClock{}.ticks() + options_.wait_max;
        bool tell = false;
        {
            const std::lock_guard lock(queue_->mutex);
            if (queue_->waiting.size() >= options_.queue_max)
                return no_leaf(
                    base::Errc::store_busy,
                    "The audit log's queue is full, so the call was refused."
                );
            leaf->number = ++queue_->last;
            queue_->waiting.push_back(leaf);
            tell = queue_->asleep || leaf->due;
            if (leaf->due)
                queue_->wanted = leaf->number;
        }
        if (tell)
            queue_->changed.notify_one();
        return std::shared_ptr<AuditTicket>(leaf);
    }

private:
    struct Leaf;

    bool is_timed() const { return options_.metrics != nullptr && options_.clock != nullptr; }

    /// Shared with tickets, which may outlive the writer.
    struct Queue {
        std::mutex mutex;
        std::condition_variable changed; // told without the mutex: who wakes must not wait for it
        std::deque<std::shared_ptr<Leaf>> waiting;
        std::uint64_t last = 0;   // number of the last that was handed over
        std::uint64_t wanted = 0; // up to this one somebody waits
        bool asleep = false;      // the thread looks only when it is told
        bool ending = false;
    };

    /// One leaf from being handed over until all tickets for it are gone.
    struct Leaf final : AuditTicket, std::enable_shared_from_this<Leaf> {
        Leaf(std::shared_ptr<Queue> its_queue, AuditEntry its_entry, std::chrono::milliseconds wait)
            : queue(std::move(its_queue)), entry(std::move(its_entry)), wait_max(wait) {}

        Outcome wait() override {
            if (!due)
                want();
            if (written.wait_for(patience()) == std::future_status::ready)
                return written.get();
            // Not begun yet: leave no leaf of a call that is refused. Begun: it may still be
            // written, and a leaf too many is harmless.
            const auto late = no_leaf(
                base::Errc::timeout,
                "The audit log could not be written in time; the call was refused."
            );
            const std::lock_guard lock(queue->mutex);
            if (std::erase(queue->waiting, shared_from_this()) > 0)
                outcome.set_value(late);
            return late;
        }

        bool lost() const override { return known() && !written.get(); }
        bool known() const override {
            return written.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
        }

        void want() {
            bool first = false;
            {
                const std::lock_guard lock(queue->mutex);
                first = queue->wanted < number;
                queue->wanted = std::max(queue->wanted, number);
            }
            if (first)
                queue->changed.notify_one();
        }
        std::chrono::nanoseconds patience() const {
            const std::chrono::nanoseconds none{0};
            return due ? std::max(none, *due - base::SystemClock{}.ticks()) : wait_max;
        }

        const std::shared_ptr<Queue> queue;
        AuditEntry entry; // moved out once its turn has come
        const std::chrono::milliseconds wait_max;
        base::Ticks handed_over{};
        std::optional<base::Ticks> due; // of one that is awaited; set before anybody else knows it
        std::uint64_t number = 0;       // set before anybody else knows it
        std::promise<Outcome> outcome;
        std::shared_future<Outcome> written{outcome.get_future()};
    };
    using Batch = std::vector<std::shared_ptr<Leaf>>;

    /// Runs until it is told to stop and the queue is empty.
    void work() {
        for (Batch batch = next(); !batch.empty(); batch = next()) {
            refuse_orphans(batch);
            commit(batch);
        }
    }

    /// Those whose turn it is; none at the end. After a commit the thread looks once more by itself
    /// before it falls asleep: the first leaf of the next call need not wake it.
    Batch next() {
        Batch batch;
        std::unique_lock lock(queue_->mutex);
        auto& waiting = queue_->waiting;
        const auto urgent = [&] {
            return queue_->ending ||
                   (!waiting.empty() && waiting.front()->number <= queue_->wanted);
        };
        while (!queue_->changed.wait_for(lock, options_.linger, urgent) && waiting.empty()) {
            queue_->asleep = true;
            queue_->changed.wait(lock, [&] { return queue_->ending || !waiting.empty(); });
            queue_->asleep = false;
        }
        while (!waiting.empty() && batch.size() < base::limits::audit_batch_max) {
            batch.push_back(std::move(waiting.front()));
            waiting.pop_front();
        }
        return batch;
    }

    /// A full disk may lose one batch and take the next: what belongs to a lost leaf goes with it.
    static void refuse_orphans(Batch& batch) {
        std::erase_if(batch, [](const std::shared_ptr<Leaf>& leaf) {
            const bool orphan = leaf->entry.after && leaf->entry.after->lost();
            if (orphan)
                leaf->outcome.set_value(no_leaf(
                    base::Errc::io,
                    "The audit log could not take the record that this one belongs to."
                ));
            return orphan;
        });
    }

    /// All of the batch or nothing of it; nobody is answered before the commit.
    void commit(const Batch& batch) {
        if (batch.empty())
            return;
        std::vector<AuditEntry> entries;
        entries.reserve(batch.size());
        for (const auto& leaf : batch)
            entries.push_back(std::move(leaf->entry));
        std::uint64_t first = 0;
        const auto status = store_.transact([&](db::StoreTransaction& transaction) -> base::Status {
            INTERLOCK_TRY(first, append_audit(transaction, random_, entries, tail_));
            return base::done;
        });
        if (status && is_timed()) {
            const std::chrono::duration<double> took =
                options_.clock->ticks() - batch.front()->handed_over;
            options_.metrics->observe(Histogram::audit_commit_seconds, {}, took.count());
        }
        for (std::size_t i = 0; i < batch.size(); ++i)
            batch[i]->outcome.set_value(status ? Outcome{first + i} : Outcome{status.error()});
    }

    db::Store& store_;
    base::Random& random_;
    const AuditWriterOptions options_;
    const std::shared_ptr<Queue> queue_;
    AuditTail tail_;      // the thread's
    std::jthread thread_; // last: it starts when all else stands and ends first
};

} // namespace

std::unique_ptr<AuditWriter>
AuditWriter::start(db::Store& store, base::Random& random, AuditWriterOptions options) {
    return std::make_unique<GroupCommit>(store, random, options);
}

base::Result<std::uint64_t> AuditWriter::append(AuditEntry entry) {
    INTERLOCK_TRY(const auto ticket, enqueue(std::move(entry)));
    return ticket->wait();
}

} // namespace interlock::telemetry
