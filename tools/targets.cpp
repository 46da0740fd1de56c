#include "tools/targets.hpp"

#include "base/limits.hpp"
#include "base/log.hpp"
#include "tools/lane_check.hpp"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace interlock::tools {
namespace {

namespace limits = base::limits;
using Connection = std::unique_ptr<db::ReaderConnection>;

/// Callers that wait for a slot. Each is woken alone: many waiting for few must not all wake, look,
/// and wait again.
struct Waiters {
    std::condition_variable_any changed;
    std::size_t count = 0;
};

bool has_several_servers(const db::TargetAddress& address) {
    const auto servers = db::servers_of(address);
    return servers && servers->size() > 1;
}

/// Which of a target's servers has which role, as reads found it.
class Roles {
public:
    void note(const db::ServerFacts& facts, base::Time now) {
        const std::string server = facts.server.empty() ? "the server" : facts.server;
        const auto before = seen_.find(facts.server);
        std::string what;
        if (before != seen_.end()) {
            what = told(server, before->second, facts);
        }
        const bool moved = !facts.in_recovery && primary_ && *primary_ != facts.server;
        if (what.empty() && moved) {
            what = server + " is the primary now";
        }
        if (!what.empty()) {
            change_ = "At " + base::format_time(now) + " it was found that " + what +
                      (moved ? "; the primary was " + *primary_ + " before." : ".");
            changed_at_ = now;
            base::log_warning("target.role_changed", {{"what", *change_}});
        }
        seen_[facts.server] = {facts.in_recovery, facts.timeline};
        if (!facts.in_recovery) {
            primary_ = facts.server;
        }
    }

    /// Told for as long as samples from before it may be shown.
    std::optional<std::string> changed(base::Time now) const {
        return change_ && now - changed_at_ <= limits::sampler_history ? change_ : std::nullopt;
    }

private:
    struct Seen {
        bool in_recovery = false;
        std::string timeline;
    };

    static std::string
    told(const std::string& server, const Seen& before, const db::ServerFacts& facts) {
        const std::string timeline =
            facts.timeline.empty() ? "" : " (timeline " + facts.timeline + ")";
        if (before.in_recovery && !facts.in_recovery) {
            return server + ", a standby, was promoted and is a primary now" + timeline;
        }
        if (!before.in_recovery && facts.in_recovery) {
            return server + " was a primary and is a standby now";
        }
        if (!before.timeline.empty() && !facts.timeline.empty() &&
            before.timeline != facts.timeline) {
            return server + " went from timeline " + before.timeline + " to " + facts.timeline +
                   ": a standby was promoted, or a backup restored, behind that address";
        }
        return {};
    }

    std::map<std::string, Seen> seen_; // by the server's name in the target
    std::optional<std::string> primary_;
    std::optional<std::string> change_;
    base::Time changed_at_{};
};

/// What the server's sessions that our connections are given tell of a pooler's mode. One session
/// for two connections is transaction mode. A pooler in that mode gives the session that was used
/// last to whoever reads next: connections that read in turns, none of them at once with another,
/// and keep each its own, tell session mode. Until then nothing is known.
class PoolerSigns {
public:
    bool shared() const { return shared_; }
    bool kept() const { return turns_ >= turns_enough; }
    bool undecided() const { return !sessions_.empty() && !shared() && !kept(); }

    /// Of a connection through a pooler.
    void note(const db::ReaderConnection& connection) {
        for (const auto& [other, session] : sessions_) {
            shared_ = shared_ || (other != &connection && session == connection.backend_pid());
        }
        shared_ = shared_ || connection.facts().pooler == db::Pooler::transaction;
        sessions_[&connection] = connection.backend_pid();
    }
    void lent(const db::ReaderConnection& connection, bool alone) {
        alone_ = alone ? &connection : nullptr;
    }
    void given_back(const db::ReaderConnection& connection) {
        if (alone_ != &connection || !sessions_.contains(&connection)) {
            last_ = nullptr;
        } else {
            turns_ += last_ != nullptr && last_ != &connection ? 1 : 0;
            last_ = &connection;
        }
        alone_ = nullptr;
    }
    void forget(const db::ReaderConnection* connection) {
        sessions_.erase(connection);
        last_ = last_ == connection ? nullptr : last_;
    }
    void forget_all() {
        sessions_.clear();
        last_ = nullptr;
    }

private:
    static constexpr int turns_enough = 4; // other clients may take a session once by chance

    std::map<const db::ReaderConnection*, int> sessions_; // of each live connection
    bool shared_ = false;
    int turns_ = 0;
    const db::ReaderConnection* alone_ = nullptr; // lent, and no other since
    const db::ReaderConnection* last_ = nullptr;  // that was lent alone
};

/// The connections to one target. Nothing here waits while it holds the mutex.
class Pool {
public:
    Pool(db::TargetAddress address, base::Clock& clock, telemetry::Metrics& metrics)
        : address_{std::move(address)}, clock_{clock}, metrics_{metrics} {}

    const db::TargetAddress& address() const { return address_; }

    /// What is requested when this target is switched off, and why it is.
    struct Switch {
        std::stop_source off;
        std::optional<base::Error> why; // written before `off` is requested, and not after
    };
    using SwitchPointer = std::shared_ptr<Switch>;

    SwitchPointer power() const {
        const std::lock_guard lock{mutex_};
        return switch_;
    }

    /// nullopt: on.
    void switch_off(const std::optional<base::Error>& why) {
        SwitchPointer off;
        {
            const std::lock_guard lock{mutex_};
            if (why.has_value() == switch_->why.has_value()) {
                return;
            }
            if (!why) {
                switch_ = std::make_shared<Switch>();
                return;
            }
            off = switch_;
            off->why = why;
            triage_.changed.notify_all();
            ordinary_.changed.notify_all();
        }
        off->off.request_stop();
    }

    base::Result<Connection>
    take(Lane lane, const db::Choice& choice, const std::stop_token& stop) {
        const base::Ticks began = clock_.ticks();
        INTERLOCK_CHECK(wait_for_slot(lane, stop));
        metrics_.observe(
            telemetry::Histogram::pool_wait_seconds,
            {address_.name},
            std::chrono::duration<double>(clock_.ticks() - began).count()
        );
        Connection surplus; // closed without the mutex
        if (Connection ready = pop_idle(choice, surplus)) {
            return ready;
        }
        auto opened = open_narrow(choice);
        {
            const std::lock_guard lock{mutex_};
            if (opened) {
                greet(**opened, choice);
                signs_.lent(**opened, in_use_ == 1);
                return opened;
            }
            remember_failure(opened.error());
            free_slot(lane);
        }
        wake_next();
        return opened;
    }

    /// Takes a connection back. One that is broken or not clean is closed instead.
    void give_back(Lane lane, Connection connection) {
        const bool broken = connection->broken();
        const bool clean = !broken && connection->clean();
        const bool keep = clean && rule_takes(connection->facts());
        if (!clean && !broken) {
            base::log_warning("pool.unclean", {{"target", address_.name}});
        }
        std::vector<Connection> dropped;
        {
            const std::lock_guard lock{mutex_};
            note(*connection);
            signs_.given_back(*connection);
            if (keep) {
                idle_.push_back(std::move(connection));
            } else if (broken) {
                dropped.swap(idle_); // a server that dropped one most likely dropped them all
                signs_.forget_all();
            } else {
                signs_.forget(connection.get());
            }
            free_slot(lane);
        }
        wake_next();
    }

    Standing standing(const db::ReaderConnection& connection, db::Looks looks) {
        const db::ServerFacts& facts = connection.facts();
        Standing out;
        out.suits = rule_takes(facts);
        out.server = several_ ? facts.server : "";
        if (facts.in_recovery && looks == db::Looks::at_server) {
            out.no_primary = why_no_primary(facts);
        }
        const std::lock_guard lock{mutex_};
        roles_.note(facts, clock_.now());
        out.changed = roles_.changed(clock_.now());
        out.pooler = facts.pooler != db::Pooler::none && signs_.shared() ? db::Pooler::transaction
                                                                         : facts.pooler;
        out.pooler_known = out.pooler != db::Pooler::session || signs_.kept();
        return out;
    }

private:
    bool rule_takes(const db::ServerFacts& facts) const {
        return !rule_.strict || rule_.takes(facts.in_recovery);
    }

    /// Nothing where a target of one server is that standby: its operator knows.
    std::optional<std::string> why_no_primary(const db::ServerFacts& facts) const {
        if (rule_.strict) {
            return "the target's rule takes standbys only";
        }
        if (!several_) {
            return std::nullopt;
        }
        return rule_.role == db::Role::any
                   ? "the target's rule takes the first server that answers, and " + facts.server +
                         " is a standby"
                   : "no primary answered; " + facts.server + ", a standby, did";
    }

    /// Of a new connection. The caller holds the mutex.
    void greet(const db::ReaderConnection& connection, const db::Choice& choice) {
        backoff_ = {};
        if (!choice.takes(connection.facts().in_recovery)) {
            better_not_before_ = clock_.ticks() + limits::reconnect_backoff_max;
        }
        note(connection);
    }

    /// What a connection was found to be. The caller holds the mutex.
    void note(const db::ReaderConnection& connection) {
        roles_.note(connection.facts(), clock_.now());
        if (connection.facts().pooler != db::Pooler::none) {
            signs_.note(connection);
        }
    }

    bool has_slot(Lane lane) const {
        const int ordinary_max = limits::pool_connections - limits::pool_triage_reserved;
        return in_use_ < limits::pool_connections &&
               (lane == Lane::triage || ordinary_in_use_ < ordinary_max);
    }

    bool backing_off() const { return idle_.empty() && clock_.ticks() < not_before_; }

    base::Error busy(const char* why) const {
        return {
            base::Errc::target_busy,
            "All connections to target " + address_.name + " are in use and " + why + ".",
            "Try again in a few seconds; diagnose has a connection kept for it."};
    }

    base::Error failing() const {
        const auto wait =
            std::chrono::duration_cast<std::chrono::milliseconds>(not_before_ - clock_.ticks());
        base::Error error = last_error_;
        error.remedy += (error.remedy.empty() ? "" : " ") +
                        std::string{"The next attempt to connect is made in "} +
                        std::to_string(std::max<long long>(wait.count(), 1)) + " ms.";
        return error;
    }

    base::Status wait_for_slot(Lane lane, const std::stop_token& stop) {
        base::Status status = take_slot(lane, stop);
        if (!status) {
            wake_next(); // the wake-up that was used up here may have been meant for another
        }
        return status;
    }

    base::Status take_slot(Lane lane, const std::stop_token& stop) {
        std::unique_lock lock{mutex_};
        const auto settled = [&] { return switch_->why || backing_off() || has_slot(lane); };
        if (!settled()) {
            if (triage_.count + ordinary_.count >= limits::pool_waiters_max) {
                return busy("too many callers wait already");
            }
            Waiters& mine = lane == Lane::triage ? triage_ : ordinary_;
            ++mine.count;
            const bool in_time = mine.changed.wait_for(lock, stop, limits::pool_wait_max, settled);
            --mine.count;
            if (stop.stop_requested()) {
                return base::Error{
                    base::Errc::cancelled,
                    "The caller gave up while waiting for a connection.",
                    ""};
            }
            if (!in_time) {
                return busy("none came free in time");
            }
        }
        if (switch_->why) {
            return *switch_->why;
        }
        if (backing_off()) {
            return failing();
        }
        ++in_use_;
        ordinary_in_use_ += lane == Lane::ordinary ? 1 : 0;
        show_use();
        return base::done;
    }

    /// Where a second choice is in use, the first is looked for only now and then. `surplus` is
    /// taken out where a connection to another server would be one too many.
    Connection pop_idle(const db::Choice& choice, Connection& surplus) {
        const std::lock_guard lock{mutex_};
        const bool any = !choice.strict && clock_.ticks() < better_not_before_;
        if (signs_.undecided() && idle_.size() > 1) {
            // Reads in turns tell a pooler's mode; the one used last by itself tells nothing.
            std::rotate(idle_.begin(), std::next(idle_.begin()), idle_.end());
        }
        for (auto idle = idle_.rbegin(); idle != idle_.rend(); ++idle) {
            if (any || choice.takes((*idle)->facts().in_recovery)) {
                Connection connection = std::move(*idle);
                idle_.erase(std::next(idle).base());
                signs_.lent(*connection, in_use_ == 1);
                return connection;
            }
        }
        if (static_cast<int>(idle_.size()) + in_use_ > limits::pool_connections) {
            surplus = std::move(idle_.front());
            signs_.forget(surplus.get());
            idle_.erase(idle_.begin());
        }
        return nullptr;
    }

    /// A role can be given rights while the server runs: every new connection is judged again.
    base::Result<Connection> open_narrow(const db::Choice& choice) const {
        INTERLOCK_TRY(Connection connection, db::ReaderConnection::open(address_, choice));
        INTERLOCK_TRY(const std::vector<LaneCheck> checks, check_lane(*connection));
        INTERLOCK_CHECK(require_narrow(address_.name, checks));
        return connection;
    }

    /// The caller holds the mutex, and calls wake_next() when it does so no more.
    void free_slot(Lane lane) {
        --in_use_;
        ordinary_in_use_ -= lane == Lane::ordinary ? 1 : 0;
        show_use();
    }

    /// Whoever can go on now, if anybody: a slot is free, or the target is known to be away.
    /// Without the mutex: who is woken wants it at once.
    void wake_next() {
        bool triage = false;
        bool ordinary = false;
        {
            const std::lock_guard lock{mutex_};
            triage = triage_.count > 0 && (backing_off() || has_slot(Lane::triage));
            ordinary = ordinary_.count > 0 && (backing_off() || has_slot(Lane::ordinary));
        }
        if (triage) {
            triage_.changed.notify_one();
        }
        if (ordinary) {
            ordinary_.changed.notify_one();
        }
    }

    void remember_failure(const base::Error& error) {
        last_error_ = error;
        backoff_ = backoff_.count() == 0 ? limits::reconnect_backoff_min
                                         : std::min(backoff_ * 2, limits::reconnect_backoff_max);
        not_before_ = clock_.ticks() + backoff_;
        base::log_warning(
            "pool.connect_failed",
            {{"target", address_.name}, {"code", base::name(error.code)}, {"why", error.what}}
        );
    }

    void show_use() { metrics_.set(telemetry::Gauge::pool_in_use, {address_.name}, in_use_); }

    const db::TargetAddress address_;
    const db::Choice rule_ = db::choice_of(address_, db::Looks::at_server);
    const bool several_ = has_several_servers(address_);
    base::Clock& clock_;
    telemetry::Metrics& metrics_;
    mutable std::mutex mutex_; // guards all below
    SwitchPointer switch_ = std::make_shared<Switch>();
    Waiters triage_;
    Waiters ordinary_;
    std::vector<Connection> idle_;
    int in_use_ = 0; // lent or being opened
    int ordinary_in_use_ = 0;
    std::chrono::milliseconds backoff_{0};
    base::Ticks not_before_{};
    base::Ticks better_not_before_{}; // when to look for the first choice again
    base::Error last_error_;
    Roles roles_;
    PoolerSigns signs_;
};

class Loan final : public BorrowedConnection {
public:
    Loan(
        std::shared_ptr<Pool> pool,
        Pool::SwitchPointer power,
        Lane lane,
        db::Looks looks,
        Connection connection,
        std::stop_token stop
    )
        : pool_{std::move(pool)},
          power_{std::move(power)},
          lane_{lane},
          looks_{looks},
          connection_{std::move(connection)},
          stopped_{std::move(stop), [this] { either_.request_stop(); }},
          off_{power_->off.get_token(), [this] { either_.request_stop(); }} {}
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan() override { pool_->give_back(lane_, std::move(connection_)); }
    db::ReaderConnection& connection() override { return *connection_; }
    std::stop_token stop() const override { return either_.get_token(); }
    std::optional<base::Error> switched_off() const override {
        return power_->off.stop_requested() ? power_->why : std::nullopt;
    }
    Standing standing() const override { return pool_->standing(*connection_, looks_); }

private:
    std::shared_ptr<Pool> pool_;
    Pool::SwitchPointer power_;
    Lane lane_;
    db::Looks looks_;
    Connection connection_;
    std::stop_source either_;
    std::stop_callback<std::function<void()>> stopped_; // these go before what they touch
    std::stop_callback<std::function<void()>> off_;
};

std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
        out += (out.empty() ? "" : ", ") + name;
    }
    return out;
}

} // namespace

struct Targets::State {
    std::vector<std::string> names; // in the order of the configuration
    std::map<std::string, std::shared_ptr<Pool>> pools;
};

Targets::Targets(
    std::vector<db::TargetAddress> addresses, base::Clock& clock, telemetry::Metrics& metrics
)
    : state_{std::make_unique<State>()} {
    for (db::TargetAddress& address : addresses) {
        const std::string name = address.name;
        if (state_->pools.emplace(name, nullptr).second) {
            state_->names.push_back(name);
            state_->pools[name] = std::make_shared<Pool>(std::move(address), clock, metrics);
        }
    }
}

Targets::~Targets() = default;

std::vector<std::string> Targets::names() const {
    return state_->names;
}

base::Result<std::string> Targets::resolve(const std::string& name) const {
    if (name.empty()) {
        if (state_->names.size() == 1) {
            return state_->names.front();
        }
        return base::Error{
            base::Errc::invalid_arguments,
            state_->names.empty() ? "No target is configured."
                                  : "More than one target is configured and none was named.",
            state_->names.empty() ? "Start the server with --target NAME=CONNINFO or a "
                                    "configuration that names targets."
                                  : "Give target, one of: " + joined(state_->names) + "."};
    }
    if (state_->pools.find(name) == state_->pools.end()) {
        // The name itself is not repeated: it is a caller's text.
        return base::Error{
            base::Errc::not_found,
            "No target of that name is configured.",
            state_->names.empty() ? "Configure one."
                                  : "Give target, one of: " + joined(state_->names) + "."};
    }
    return name;
}

base::Result<std::unique_ptr<BorrowedConnection>>
Targets::borrow(const std::string& name, Lane lane, std::stop_token stop, db::Looks looks) {
    INTERLOCK_TRY(const std::string known, resolve(name));
    const std::shared_ptr<Pool>& pool = state_->pools.at(known);
    const Pool::SwitchPointer power = pool->power();
    if (power->off.stop_requested()) {
        return *power->why;
    }
    const db::Choice choice = db::choice_of(*address(known), looks);
    INTERLOCK_TRY(Connection connection, pool->take(lane, choice, stop));
    std::unique_ptr<BorrowedConnection> loan =
        std::make_unique<Loan>(pool, power, lane, looks, std::move(connection), std::move(stop));
    return loan;
}

void Targets::switch_off(const std::map<std::string, std::string>& reasons) {
    for (const auto& [name, pool] : state_->pools) {
        const auto found = reasons.find(name);
        if (found == reasons.end()) {
            pool->switch_off(std::nullopt);
            continue;
        }
        pool->switch_off(base::Error{
            base::Errc::suspended,
            "The target " + name + " is switched off: " + found->second,
            "Do not look at it; tell the person you work for. Only a person can lift this."});
    }
}

const db::TargetAddress* Targets::address(const std::string& name) const {
    const auto pool = state_->pools.find(name);
    return pool == state_->pools.end() ? nullptr : &pool->second->address();
}

} // namespace interlock::tools
