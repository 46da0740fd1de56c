#include "server/brakes_watch.hpp"

#include "base/log.hpp"
#include "base/pause.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace interlock::server {
namespace {

using approval::Brake;
using approval::BrakeKind;

bool same_place(const Brake& left, const Brake& right) {
    return left.kind == right.kind && left.name == right.name && left.issuer == right.issuer;
}

void log_change(const char* event, const Brake& brake) {
    base::log_warning(
        event,
        {{"kind", approval::name(brake.kind)},
         {"name", brake.name},
         {"origin", approval::name(brake.origin)},
         {"who", brake.who},
         {"reason", brake.reason}}
    );
}

/// Tells in the log what came and what went.
void log_changes(const BrakesInForce& before, const BrakesInForce& now) {
    const auto holds = [](const BrakesInForce& set, const Brake& brake) {
        return std::any_of(set.list().begin(), set.list().end(), [&](const Brake& other) {
            return same_place(brake, other);
        });
    };
    for (const Brake& brake : now.list()) {
        if (!holds(before, brake)) {
            log_change("brake.in_force", brake);
        }
    }
    for (const Brake& brake : before.list()) {
        if (!holds(now, brake)) {
            log_change("brake.lifted", brake);
        }
    }
}

} // namespace

// --- What is in force ----------------------------------------------------------------------------

const Brake* BrakesInForce::find(BrakeKind kind, std::string_view name) const {
    const auto found = std::find_if(brakes_.begin(), brakes_.end(), [&](const Brake& brake) {
        return brake.kind == kind && brake.name == name;
    });
    return found == brakes_.end() ? nullptr : &*found;
}

const Brake* BrakesInForce::all() const {
    return find(BrakeKind::all, "");
}
const Brake* BrakesInForce::tool(std::string_view name) const {
    return find(BrakeKind::tool, name);
}
const Brake* BrakesInForce::target(std::string_view name) const {
    return find(BrakeKind::target, name);
}

const Brake* BrakesInForce::identity(const telemetry::Identity& identity) const {
    const auto found = std::find_if(brakes_.begin(), brakes_.end(), [&](const Brake& brake) {
        return brake.kind == BrakeKind::identity && brake.name == identity.subject &&
               (brake.issuer.empty() || brake.issuer == identity.issuer);
    });
    return found == brakes_.end() ? nullptr : &*found;
}

std::set<std::string> BrakesInForce::names(BrakeKind kind) const {
    std::set<std::string> names;
    for (const Brake& brake : brakes_) {
        if (brake.kind == kind) {
            names.insert(brake.name);
        }
    }
    return names;
}

// --- Looking -------------------------------------------------------------------------------------

BrakesWatch::BrakesWatch(BrakesWatchParts parts)
    : parts_(parts), current_(std::make_shared<const BrakesInForce>()) {}

BrakesWatch::~BrakesWatch() {
    stop();
}

base::Status BrakesWatch::start(BrakesChanged changed) {
    changed_ = std::move(changed);
    count(*current());
    INTERLOCK_CHECK(look());
    watcher_ = std::jthread([this](const std::stop_token& ended) { watch(ended); });
    writer_ = std::jthread([this](const std::stop_token& ended) { write(ended); });
    return base::done;
}

void BrakesWatch::stop() {
    for (std::jthread* thread : {&watcher_, &writer_}) {
        thread->request_stop();
        if (thread->joinable()) {
            thread->join();
        }
    }
}

std::shared_ptr<const BrakesInForce> BrakesWatch::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

std::string BrakesWatch::unready() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

std::size_t BrakesWatch::unwritten() const {
    const std::lock_guard lock(mutex_);
    return pending_.size();
}

base::Status BrakesWatch::look() {
    const std::lock_guard telling(telling_);
    auto stored = approval::brakes_in_force(parts_.reading);
    std::string before;
    {
        const std::lock_guard lock(mutex_);
        before = std::exchange(
            problem_, stored ? "" : "kill switches cannot be read: " + stored.error().what
        );
    }
    parts_.metrics.set(telemetry::Gauge::brakes_unreadable, {}, stored ? 0 : 1);
    if (!stored) {
        if (before.empty()) { // once, not at every look
            base::log_error(
                "brakes.unreadable",
                {{"what", base::to_text(stored.error())},
                 {"then", "what was in force stays in force"}}
            );
        }
        return stored.error();
    }
    if (!before.empty()) {
        base::log_info("brakes.readable");
    }
    put_in_force(std::move(*stored));
    return base::done;
}

/// Kinds of which there are none are told as 0.
void BrakesWatch::count(const BrakesInForce& brakes) {
    constexpr std::array kinds{
        BrakeKind::tool, BrakeKind::identity, BrakeKind::target, BrakeKind::all};
    for (const BrakeKind kind : kinds) {
        parts_.metrics.set(
            telemetry::Gauge::brakes,
            {approval::name(kind)},
            static_cast<double>(brakes.names(kind).size())
        );
    }
}

/// Under `telling_`. What is not written yet is in force all the same.
void BrakesWatch::put_in_force(std::vector<Brake> stored) {
    std::shared_ptr<const BrakesInForce> before;
    std::shared_ptr<const BrakesInForce> now;
    {
        const std::lock_guard lock(mutex_);
        stored_ = stored;
        for (const Pending& each : pending_) {
            const bool there = std::any_of(stored.begin(), stored.end(), [&](const Brake& brake) {
                return same_place(brake, each.brake);
            });
            if (!there) {
                stored.push_back(each.brake);
            }
        }
        if (current_->list() == stored) {
            return;
        }
        now = std::make_shared<const BrakesInForce>(std::move(stored));
        before = std::exchange(current_, now);
    }
    count(*now);
    log_changes(*before, *now);
    if (changed_) {
        changed_(*before, *now);
    }
}

void BrakesWatch::watch(const std::stop_token& ended) {
    while (base::pause(ended, parts_.interval)) {
        (void)look(); // told in the log, in a metric and by unready()
    }
}

// --- Suspending ----------------------------------------------------------------------------------

void BrakesWatch::suspend(Brake brake, std::string transcript) {
    const std::lock_guard telling(telling_);
    std::vector<Brake> stored;
    {
        const std::lock_guard lock(mutex_);
        const bool known = std::any_of(pending_.begin(), pending_.end(), [&](const Pending& each) {
            return same_place(each.brake, brake);
        });
        if (known) {
            return; // stopped already
        }
        if (pending_.size() >= base::limits::brakes_max) { // the store must be away for long
            base::log_error("brakes.too_many", {{"not_set", brake.name}});
            return;
        }
        pending_.push_back({std::move(brake), std::move(transcript)});
        stored = stored_;
    }
    more_.notify_all();
    put_in_force(std::move(stored));
}

/// False: there is nothing left to write, or it cannot be written now.
bool BrakesWatch::write_one() {
    Pending first;
    {
        const std::lock_guard lock(mutex_);
        if (pending_.empty()) {
            return false;
        }
        first = pending_.front();
    }
    const auto set =
        approval::set_brake(parts_.writing, parts_.random, first.brake, first.transcript);
    if (!set) {
        if (!std::exchange(write_fails_, true)) { // once, not at every attempt
            base::log_error(
                "brakes.not_written",
                {{"name", first.brake.name},
                 {"what", base::to_text(set.error())},
                 {"then", "it holds on this server and is written when it can be"}}
            );
        }
        return false;
    }
    write_fails_ = false;
    // A look that began before this was written does not know it: it is to end first.
    const std::lock_guard telling(telling_);
    const std::lock_guard lock(mutex_);
    std::erase_if(pending_, [&](const Pending& each) {
        return same_place(each.brake, first.brake);
    });
    stored_.push_back(set->brake); // until the next look reads it
    return true;
}

void BrakesWatch::write(const std::stop_token& ended) {
    while (!ended.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            more_.wait(lock, ended, [&] { return !pending_.empty(); });
        }
        while (write_one()) {
        }
        std::unique_lock lock(mutex_);
        more_.wait_for(lock, ended, parts_.interval, [] { return false; });
    }
    while (write_one()) { // what is decided is kept, also when the program ends
    }
}

} // namespace interlock::server
