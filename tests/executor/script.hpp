// A target that follows a script: what it answers to every check, what becomes of every step, and a
// record of what was done to it. No database, no waiting.
#pragma once

#include "executor/target.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace interlock::test {

/// A check's SQL in these tests is "select 1 as <id>": the id is how the script knows it.
inline std::string check_sql(const std::string& id) {
    return "select 1 as " + id;
}

enum class Act {
    commit,
    deny,          // the statement fails; nothing happened
    match_nothing, // no row
    act_then_fail, // the effect happened, the transaction did not commit
    lose_before,   // the session breaks; the effect did not happen
    lose_after,    // the session breaks after the effect and its commit
};

struct Script {
    std::set<std::string> targets{"main"};
    std::optional<base::Error> connect_error;
    int locks_refused = 0;
    int orphans = 0;
    bool orphans_obey = true;
    runbooks::TargetFingerprint fingerprint;
    base::Status ledger = base::done;
    std::map<std::string, std::function<base::Result<db::Table>()>> answers; // by check id
    std::deque<Act> acts;                                                    // then commit
    std::function<void()> on_step;                                           // before the act

    std::set<std::pair<int, bool>> ledger_rows;
    std::vector<std::string> effects; // SQL of every effect, in order
    std::vector<std::string> names;   // application_name of every session
    long long ended_up_to = 0;        // fence of the last terminate_orphans
    int sessions = 0;
    int severed = 0; // of the sessions, the first so many are broken

    /// Every session there is now breaks, as in a failover.
    void sever() { severed = sessions; }
};

inline base::Result<db::Table> one_value(const std::string& value) {
    db::Table table;
    table.columns = {"value"};
    table.rows = {{value}};
    return table;
}

inline std::function<base::Result<db::Table>()> always(const std::string& value) {
    return [value] { return one_value(value); };
}

/// Each value once, the last for ever.
inline std::function<base::Result<db::Table>()> series(std::vector<std::string> values) {
    return [values = std::move(values), next = std::size_t{0}]() mutable {
        const auto at = next + 1 < values.size() ? next++ : values.size() - 1;
        return one_value(values[at]);
    };
}

class ScriptedSession final : public executor::TargetSession {
public:
    explicit ScriptedSession(Script& script) : script_(script), number_(script.sessions) {}

    const executor::ActsAs& acts_as() const override { return acts_as_; }
    base::Result<bool> try_lock(const executor::LockKey&) override {
        INTERLOCK_CHECK(whole());
        if (script_.locks_refused > 0) {
            --script_.locks_refused;
            return false;
        }
        return true;
    }
    base::Result<int> count_orphans(const std::string&) override {
        INTERLOCK_CHECK(whole());
        return script_.orphans;
    }
    base::Status terminate_orphans(const std::string&, long long fence) override {
        INTERLOCK_CHECK(whole());
        script_.ended_up_to = fence;
        if (script_.orphans_obey) {
            script_.orphans = 0;
        }
        return base::done;
    }
    base::Result<runbooks::TargetFingerprint> fingerprint() override {
        INTERLOCK_CHECK(whole());
        return script_.fingerprint;
    }
    base::Status check_ledger() override {
        INTERLOCK_CHECK(whole());
        return script_.ledger;
    }
    base::Result<db::Table> observe(const runbooks::BoundStatement& statement) override {
        INTERLOCK_CHECK(whole());
        const auto id = statement.sql.substr(statement.sql.rfind(' ') + 1);
        const auto found = script_.answers.find(id);
        return found == script_.answers.end() ? one_value("1") : found->second();
    }
    executor::StepAttempt run_step(
        const executor::StepOrder& order, const std::function<base::Status()>& may_commit
    ) override;
    base::Result<bool> ledger_has(const executor::LedgerEntry& entry) override {
        INTERLOCK_CHECK(whole());
        return script_.ledger_rows.contains({entry.step, entry.forward});
    }
    bool broken() const override { return broken_ || number_ <= script_.severed; }

private:
    base::Status whole() const {
        if (broken()) {
            return base::Error{base::Errc::target_unreachable, "The session is broken.", ""};
        }
        return base::done;
    }

    Script& script_;
    int number_ = 0;
    bool broken_ = false;
    executor::ActsAs acts_as_{"shop_executor", 4200 + number_};
};

inline executor::StepAttempt ScriptedSession::run_step(
    const executor::StepOrder& order, const std::function<base::Status()>& may_commit
) {
    using Result = executor::StepAttempt::Result;
    const std::pair<int, bool> key{order.ledger.step, order.ledger.forward};
    if (const auto hook = script_.on_step) { // a copy: it may take itself off
        hook();
    }
    if (auto usable = whole(); !usable.ok()) {
        return {Result::rolled_back, false, 0, usable.error()}; // not even BEGIN was sent
    }
    if (script_.ledger_rows.contains(key)) {
        return {Result::already_done, false, 0, {}};
    }
    Act act = Act::commit;
    if (!script_.acts.empty()) {
        act = script_.acts.front();
        script_.acts.pop_front();
    }
    const base::Error failure{base::Errc::permission_denied, "The server said no.", "Ask for it."};
    switch (act) {
    case Act::deny:
        return {Result::rolled_back, true, 0, failure};
    case Act::match_nothing:
        return {Result::rolled_back, false, 0, failure};
    case Act::act_then_fail:
        script_.effects.push_back(order.statement.sql);
        return {Result::rolled_back, true, 1, failure};
    case Act::lose_before:
        broken_ = true;
        return {Result::unknown, true, 0, failure};
    case Act::lose_after:
    case Act::commit:
        break;
    }
    if (auto allowed = may_commit(); !allowed.ok()) {
        return {Result::rolled_back, true, 1, allowed.error()};
    }
    script_.effects.push_back(order.statement.sql);
    script_.ledger_rows.insert(key);
    if (act == Act::lose_after) {
        broken_ = true;
        return {Result::unknown, true, 1, failure};
    }
    return {Result::committed, true, 1, {}};
}

class ScriptedDoor final : public executor::TargetDoor {
public:
    explicit ScriptedDoor(Script& script) : script_(script) {}
    bool knows(const std::string& target) const override {
        return script_.targets.contains(target);
    }
    base::Result<std::unique_ptr<executor::TargetSession>>
    connect(const std::string&, const std::string& application_name) override {
        script_.names.push_back(application_name);
        if (script_.connect_error) {
            return *script_.connect_error;
        }
        ++script_.sessions;
        return std::unique_ptr<executor::TargetSession>(std::make_unique<ScriptedSession>(script_));
    }

private:
    Script& script_;
};

} // namespace interlock::test
